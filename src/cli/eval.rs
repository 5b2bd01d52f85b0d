//! `irnext eval`: how close restored pictures come to their ground truth, by each task's published protocol.

use super::opened::passed_over;
use super::output::{self, print_line, say};
use super::progress::Progress;
use super::{DeviceArguments, Failure, ModelArguments, SeenArguments, quality};
use crate::eval::{DataSet, List, Pair, Published, Scores, find, judge, of_folders, protocol, published, rgb};
use crate::model::{Model, Quality, Task, shipped};
use crate::photo::{Limits, Photo, Pixels};
use crate::restore::{Adjustments, Executor, Restorer};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  irnext eval SOTS/indoor
  irnext eval tests/data/heldout --table
  irnext eval --input hazy/ --target clear/ --task dehaze
  irnext eval GoPro/test --model deblur.pkl --mean local --json > gopro.json
  irnext eval RSBlur --list datalist/RSBlur/RSBlur_real_test.txt --table

Data sets are known by their folders: RESIDE, GoPro, RSBlur, Rain100, Test100, CSD, Snow100K, \
DPDD, and `input` beside `target` in a folder named after a task. Without --model and --quality \
every model that is shipped for the data set's task is measured.

Protocols:
  dehaze, desnow  RGB PSNR; SSIM of RGB averaged over areas, as IRNeXt's release computes it
  deblur          RGB PSNR and SSIM
  defocus         RGB PSNR, SSIM and MAE, as DPDD's authors compute them
  derain          PSNR and SSIM of the luma of 8-bit pictures, as MATLAB has it

A picture that can't be measured is an error and in no mean; the others are measured.")]
pub(super) struct Arguments {
    /// Folders that hold data sets, at any depth
    #[arg(value_name = "FOLDER", required_unless_present = "input")]
    folders: Vec<PathBuf>,
    /// Degraded pictures of any other data set
    #[arg(long, value_name = "DIR", requires = "target", conflicts_with = "folders")]
    input: Option<PathBuf>,
    /// Their ground truth, by the same names
    #[arg(long, value_name = "DIR", requires = "input")]
    target: Option<PathBuf>,
    /// Measure only the degraded pictures that this text names, one or more paths a line, as in RSBlur's and RealBlur's lists
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    /// The protocol to judge by, and the task of a data set whose folders don't tell [default: --task, else theirs]
    #[arg(long, value_name = "TASK", value_enum)]
    protocol: Option<Task>,
    /// What another method made, to be measured too: pictures of the inputs' names, or a folder of the data set's name
    #[arg(long, value_name = "DIR")]
    baseline: Option<PathBuf>,
    /// Measure each model as it is and averaged over 4 turns, as `restore --tta` does
    #[arg(long)]
    tta: bool,
    #[command(flatten)]
    seen: SeenArguments,
    #[command(flatten)]
    device: DeviceArguments,
    /// Only the means, as a table in Markdown; beside them the paper's own figures for the benchmarks it names
    #[arg(long, conflicts_with = "json")]
    table: bool,
    /// Every figure, as JSON
    #[arg(long)]
    json: bool,
    /// Say nothing but warnings and errors
    #[arg(short, long)]
    quiet: bool,
}

/// All that was measured on a data set.
#[derive(Debug, Serialize)]
struct Report {
    name: String,
    folder: PathBuf,
    task: Task,
    protocol: &'static str,
    /// The inputs themselves, a baseline if there is one, then each model, over turns too where that is asked for.
    results: Vec<Contender>,
    /// The paper's own figures for this benchmark; not measured here.
    #[serde(skip_serializing_if = "Option::is_none")]
    paper: Option<Published>,
    failed: Vec<Failed>,
}

/// One way to the ground truth.
#[derive(Debug, Serialize)]
struct Contender {
    name: String,
    mean: Option<Scores>,
    pictures: Vec<Picture>,
}

#[derive(Debug, Serialize)]
struct Picture {
    name: String,
    #[serde(flatten)]
    scores: Scores,
    /// To restore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

/// A picture that could not be measured.
#[derive(Debug, Serialize)]
struct Failed {
    name: String,
    error: String,
}

/// A model, and how its pictures are made.
struct Way<'a> {
    name: String,
    restorer: &'a Restorer,
    adjustments: Adjustments,
}

const DEGRADED: &str = "degraded";
const BASELINE: &str = "baseline";
const TURNED: &str = " --tta";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    arguments.model.refuse_file_quality()?;
    let sets = data_sets(arguments)?;
    let mut reports = vec![];
    let options = arguments.seen.with(arguments.device.options());
    // Opened for the first model, and shared by all: a data set may have none.
    let mut executor: Option<Executor> = None;
    let mut progress = Progress::new(sets.iter().map(|(_, set)| set.pairs.len()).sum(), arguments.quiet);
    for (task, set) in &sets {
        let mut restorers = vec![];
        for (name, model) in models(arguments, *task)? {
            let executor = match &executor {
                Some(executor) => executor.clone(),
                None => {
                    let opened = Executor::open(&options)?;
                    passed_over(&opened);
                    executor.insert(opened).clone()
                }
            };
            restorers.push((name, Restorer::on(executor, model, &options)));
        }
        reports.push(measure(
            *task,
            set,
            arguments.baseline.is_some(),
            &ways(&restorers, arguments.tta),
            &mut progress,
        ));
    }
    drop(progress);
    let adapter = executor.as_ref().map_or("", |executor| executor.name());
    if arguments.list.is_some() {
        // The paper's figures are of the whole.
        reports.iter_mut().for_each(|report| report.paper = None);
    }
    if arguments.json {
        output::json(&serde_json::json!({"adapter": adapter, "sets": reports}))?;
    } else if arguments.table {
        print_table(&reports)?;
    } else {
        if !adapter.is_empty() {
            print_line!("{adapter}")?;
        }
        reports.iter().try_for_each(print)?;
    }
    let failed: usize = reports.iter().map(|report| report.failed.len()).sum();
    if failed > 0 {
        say!("irnext: {failed} pictures could not be measured, and are in no mean");
    }
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The data sets, each with the task that it is judged by.
fn data_sets(arguments: &Arguments) -> Result<Vec<(Task, DataSet)>, Failure> {
    let mut sets = vec![];
    match (&arguments.input, &arguments.target) {
        (Some(input), Some(target)) => sets.push(of_folders(input, target)?),
        _ => {
            for folder in &arguments.folders {
                sets.extend(find(folder)?);
            }
        }
    }
    if let Some(file) = &arguments.list {
        let mut list = List::read(file)?;
        sets.iter_mut().for_each(|set| set.choose(&mut list));
        sets.retain(|set| !set.pairs.is_empty());
        let unused = list.unused()?;
        if unused > 0 {
            say!("irnext: {}: {unused} of its lines name no degraded picture that was found", file.display());
        }
    }
    if let Some(folder) = &arguments.baseline {
        if !folder.is_dir() {
            return Err(format!("--baseline {}: no such folder", folder.display()).into());
        }
        sets.iter_mut().for_each(|set| set.add_baseline(folder));
    }
    let tasked = |set: DataSet| {
        let task = arguments.protocol.or(arguments.model.task).or(set.task);
        let untold = || format!("{}: its folders don't tell its task; say --protocol TASK", set.folder.display());
        Ok((task.ok_or_else(untold)?, set))
    };
    sets.into_iter().map(tasked).collect()
}

/// What is to be measured on a data set of this task, by the names of the results.
fn models(arguments: &Arguments, task: Task) -> Result<Vec<(String, Model)>, Failure> {
    if let Some(path) = &arguments.model.model {
        let name = path.file_stem().map_or_else(|| path.display().to_string(), |stem| stem.display().to_string());
        return Ok(vec![(name, arguments.model.load()?)]);
    }
    let task = arguments.model.task.unwrap_or(task);
    let chosen = quality::of_model(&arguments.model.quality);
    let available = shipped().into_iter().filter(|model| model.task == task).map(|model| model.quality);
    let mut qualities: Vec<Quality> = chosen.map_or_else(|| available.collect(), |quality| vec![quality]);
    qualities.sort_unstable();
    if qualities.is_empty() {
        say!("irnext: no model for `{task}` is shipped; its data set is measured as it is (or say --model FILE)");
    }
    let load = |quality: Quality| Ok((quality.to_string(), arguments.model.shipped(task, quality)?));
    qualities.into_iter().map(load).collect()
}

/// Each model as it is and, where that is asked for, over turns.
fn ways(restorers: &[(String, Restorer)], tta: bool) -> Vec<Way<'_>> {
    let mut ways = vec![];
    for (name, restorer) in restorers {
        ways.push(Way { name: name.clone(), restorer, adjustments: Adjustments::default() });
        if tta {
            let adjustments = Adjustments { over_turns: true, ..Adjustments::default() };
            ways.push(Way { name: format!("{name}{TURNED}"), restorer, adjustments });
        }
    }
    ways
}

fn measure(task: Task, set: &DataSet, baseline: bool, ways: &[Way], progress: &mut Progress) -> Report {
    let contender = |name: &str| Contender { name: name.into(), mean: None, pictures: vec![] };
    let mut results = vec![contender(DEGRADED)];
    results.extend(baseline.then(|| contender(BASELINE)));
    results.extend(ways.iter().map(|way| contender(&way.name)));
    let mut failed = vec![];
    for path in &set.without_target {
        let (name, error) = (path.display().to_string(), "no ground truth of its name".to_owned());
        progress.note(&format!("irnext: {name}: {error}"));
        failed.push(Failed { name, error });
    }
    if let Some(first) = set.unused_targets.first() {
        let (count, first) = (set.unused_targets.len(), first.display());
        progress.note(&format!("irnext: {}: {count} ground truths have no picture, as {first}", set.name));
    }
    for pair in &set.pairs {
        progress.start(&pair.name);
        match one(task, pair, baseline, ways, progress) {
            Ok(scores) => {
                let restored = scores.last().map_or(f64::NAN, |(scores, _)| scores.psnr);
                progress.finish(&format!("{}: {:.2} -> {restored:.2} dB", pair.name, scores[0].0.psnr));
                for (result, (scores, seconds)) in results.iter_mut().zip(scores) {
                    result.pictures.push(Picture { name: pair.name.clone(), scores, seconds });
                }
            }
            Err(error) => {
                progress.note(&format!("irnext: {error}"));
                progress.finish(&format!("{} FAILED", pair.name));
                failed.push(Failed { name: pair.name.clone(), error: error.to_string() });
            }
        }
    }
    for result in &mut results {
        result.mean = Scores::mean(&result.pictures.iter().map(|picture| picture.scores).collect::<Vec<_>>());
    }
    Report {
        name: set.name.clone(),
        folder: set.folder.clone(),
        task,
        protocol: protocol(task),
        results,
        paper: published(task, &set.folder),
        failed,
    }
}

/// The scores of a pair's input, its baseline if one is asked for, and each model's result with its seconds.
fn one(
    task: Task,
    pair: &Pair,
    baseline: bool,
    ways: &[Way],
    progress: &Progress,
) -> Result<Vec<(Scores, Option<f64>)>, Failure> {
    let open = |path: &Path| Photo::open(path, &Limits::default());
    let named = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let (input, truth) = (open(&pair.input)?, rgb(&open(&pair.target)?));
    let score = |path: &Path, photo: &Photo| judge(task, &rgb(photo), &truth).map_err(|error| named(path, &error));
    let mut scores = vec![(score(&pair.input, &input)?, None)];
    if baseline {
        let path = pair.baseline.as_ref().ok_or_else(|| named(&pair.input, &"no baseline of its name"))?;
        scores.push((score(path, &open(path)?)?, None));
    }
    let input = deep(&input);
    for (index, way) in ways.iter().enumerate() {
        let started = Instant::now();
        let share = &mut |share| progress.within((index as f64 + share) / ways.len() as f64);
        let restored = way.restorer.restore_adjusted(&input, &way.adjustments, share);
        let restored = restored.map_err(|error| named(&pair.input, &error))?;
        let seconds = started.elapsed().as_secs_f64();
        scores.push((score(&pair.input, &restored)?, Some(seconds)));
    }
    Ok(scores)
}

/// The same colours in 16 bits, so that the network's result is judged and not its rounding to 8.
fn deep(photo: &Photo) -> Photo {
    photo.with(Pixels::Sixteen(photo.pixels.to_sixteen().into_owned()))
}

/// Every picture of a data set, and the means.
fn print(report: &Report) -> Result<(), Failure> {
    let Report { name, task, protocol, results, paper, .. } = report;
    let pictures = &results[0].pictures;
    print_line!("\n{name}: {task}, pictures: {}; {protocol}", pictures.len())?;
    let wide = pictures.iter().map(|picture| picture.name.chars().count()).max().unwrap_or(0).max("picture".len());
    let heads: Vec<String> = results.iter().map(|result| format!("{:<24}", result.name)).collect();
    print_line!("{:wide$}  {}", "", heads.join("  ").trim_end())?;
    let columns = vec![format!("{:>8} {:>7} {:>7}", "PSNR", "SSIM", "MAE"); results.len()];
    print_line!("{:wide$}  {}", "picture", columns.join("  "))?;
    let row = |name: &str, scores: Vec<Option<Scores>>| {
        let cell = |scores: Option<Scores>| {
            scores.map_or(format!("{:>8} {:>7} {:>7}", "-", "-", "-"), |scores| {
                format!("{:>8.2} {:>7.4} {:>7.4}", scores.psnr, scores.ssim, scores.mae)
            })
        };
        print_line!("{name:wide$}  {}", scores.into_iter().map(cell).collect::<Vec<_>>().join("  "))
    };
    for (index, picture) in pictures.iter().enumerate() {
        row(&picture.name, results.iter().map(|result| Some(result.pictures[index].scores)).collect())?;
    }
    row("mean", results.iter().map(|result| result.mean).collect())?;
    if let Some(Published { benchmark, psnr, ssim, .. }) = paper {
        print_line!("the paper's figures for {benchmark}, of its own weights: {psnr:.2} dB, SSIM {ssim}")?;
    }
    Ok(())
}

/// The means of all data sets in Markdown, a row each.
fn print_table(reports: &[Report]) -> Result<(), Failure> {
    let mut names: Vec<&str> = vec![];
    for result in reports.iter().flat_map(|report| &report.results) {
        if !names.contains(&result.name.as_str()) {
            names.push(&result.name);
        }
    }
    // What was measured least restored comes first.
    let rank = |name: &str| [DEGRADED, BASELINE, "small", "full"].iter().position(|known| *known == name).unwrap_or(9);
    names.sort_by_key(|name| rank(name.strip_suffix(TURNED).unwrap_or(name)));
    let paper = reports.iter().any(|report| report.paper.is_some());
    let last = if paper { " the paper's figures, of its own weights |" } else { "" };
    print_line!("| data set | pictures | {} |{last}", names.join(" | "))?;
    print_line!("|---|---|{}{}", "---|".repeat(names.len()), if paper { "---|" } else { "" })?;
    for report in reports {
        let cell = |name: &&str| {
            let mean = report.results.iter().find(|result| result.name == **name).and_then(|result| result.mean);
            mean.map_or("-".into(), |mean| cell(report.task, mean.psnr, mean.ssim, Some(mean.mae)))
        };
        let cells: Vec<String> = names.iter().map(cell).collect();
        let published = report.paper.map_or("-".into(), |row| cell_of(&row));
        let last = if paper { format!(" {published} |") } else { String::new() };
        print_line!("| {} | {} | {} |{last}", report.name, report.results[0].pictures.len(), cells.join(" | "))?;
    }
    print_line!("\nMean PSNR in dB / SSIM, for defocus / MAE; each task by its own published protocol.")
}

fn cell(task: Task, psnr: f64, ssim: f64, mae: Option<f64>) -> String {
    match mae.filter(|_| task == Task::Defocus) {
        Some(mae) => format!("{psnr:.2} / {ssim:.3} / {mae:.3}"),
        None => format!("{psnr:.2} / {ssim:.3}"),
    }
}

fn cell_of(row: &Published) -> String {
    format!("{}: {}", row.benchmark, cell(row.task, row.psnr, row.ssim, None))
}
