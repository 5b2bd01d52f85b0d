//! A profile as one HTML file without any other: the roofline with a circle for each group of dispatches, its area their
//! share of the time, and the table.

use super::{Group, Profile};
use std::fmt::Write;

/// The plot's size and its margins, in SVG units.
const WIDE: f64 = 900.0;
const HIGH: f64 = 520.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 50.0;
const TOP: f64 = 15.0;
/// The largest circle's radius.
const RADIUS: f64 = 42.0;
/// Groups below this share of the time have no name in the plot.
const NAMED: f64 = 0.04;

const STYLE: &str = "body{font:14px system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;width:100%;font-size:12px}th,td{padding:2px 8px;text-align:right;border-bottom:1px solid \
#ddd}th:last-child,td:last-child{text-align:left;font-family:monospace}svg{width:100%;height:auto}text{font:12px \
system-ui,sans-serif;fill:#333}.grid{stroke:#eee}.roof{stroke:#c33;stroke-width:2;fill:none}circle{fill:#36c;\
fill-opacity:.35;stroke:#36c}";

/// The whole file.
pub fn html(profile: &Profile) -> String {
    let groups = profile.groups();
    let [height, width] = profile.size;
    let (adapter, network) = (escaped(&profile.adapter), escaped(&profile.network));
    let roof = &profile.roofline;
    let half = roof.gflops_f16.map_or(String::new(), |gflops| format!(", {gflops:.0} in native f16"));
    let clock = if profile.device_clock { "the device's clock" } else { "the host's clock, one submission each" };
    format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>irnext profile: {adapter}</title>\
         <style>{STYLE}</style><h1>{adapter}</h1><p>{network}; {height}x{width}, {precision}. {count} dispatches: \
         {dispatches:.2} ms by {clock}; a whole run {wall:.2} ms. Roofline measured in the same run: {copy:.1} GB/s by a \
         copy, {fma:.0} GFLOP/s by multiply-adds in f32{half}.</p>{plot}<p>A circle is one kernel at one shape, its area \
         the share of the time. Operations and bytes are what the op needs, each value touched once: a kernel that saves \
         operations, uses tensor cores or finds its data in a cache can lie above the roof.</p>{table}</html>\n",
        precision = profile.precision,
        count = profile.steps.len(),
        dispatches = profile.dispatches_ms,
        wall = profile.wall_ms,
        copy = roof.gigabytes_per_second,
        fma = roof.gflops_f32,
        plot = plot(profile, &groups),
        table = table(&groups),
    )
}

/// Logarithmic axes: operations a byte, and GFLOP/s.
struct Axes {
    x: [f64; 2],
    y: [f64; 2],
}

impl Axes {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let along = |[low, high]: [f64; 2], value: f64| (value.max(low).log10() - low.log10()) / (high / low).log10();
        (LEFT + along(self.x, x) * (WIDE - LEFT), HIGH - BOTTOM - along(self.y, y) * (HIGH - BOTTOM - TOP))
    }
}

/// The powers of ten around some values.
fn decades(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
        (low, high) = (low.min(value), high.max(value));
    }
    if low > high {
        return [1.0, 10.0];
    }
    let low = 10f64.powf(low.log10().floor());
    [low, 10f64.powf(high.log10().ceil()).max(low * 10.0)]
}

fn plot(profile: &Profile, groups: &[Group]) -> String {
    let (copy, ceiling) = (profile.roofline.gigabytes_per_second, profile.roofline.gflops());
    let ridge = ceiling / copy;
    // What computes nothing has no place on a logarithmic axis: it is in the table.
    let shown: Vec<&Group> = groups.iter().filter(|group| group.gflops > 0.0).collect();
    let axes = Axes {
        x: decades(shown.iter().map(|group| group.intensity).chain([ridge, ridge * 10.0])),
        y: decades(shown.iter().map(|group| group.gflops).chain([ceiling])),
    };
    let mut svg = format!("<svg viewBox=\"0 0 {WIDE} {HIGH}\" role=\"img\" aria-label=\"roofline\">");
    grid(&mut svg, &axes);
    let points = [axes.x[0], ridge, axes.x[1]].map(|x| axes.at(x, (x * copy).min(ceiling)));
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = write!(svg, "<polyline class=\"roof\" points=\"{}\"/>", path.join(" "));
    for group in &shown {
        let (x, y) = axes.at(group.intensity, group.gflops);
        let radius = (RADIUS * group.share.sqrt()).max(2.0);
        let name = escaped(&group.variant);
        let _ = write!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"><title>{name} x{}: {:.3} ms, {:.1} GFLOP/s, {:.1} \
             GB/s</title></circle>",
            group.count, group.ms, group.gflops, group.gigabytes_per_second
        );
        if group.share >= NAMED {
            let short = name.split('+').next().unwrap_or_default();
            let _ =
                write!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{short}</text>", y - radius - 3.0);
        }
    }
    svg + "</svg>"
}

fn grid(svg: &mut String, axes: &Axes) {
    let steps = |[low, high]: [f64; 2]| {
        let count = (high / low).log10().round() as i32;
        (0..=count).map(move |step| low * 10f64.powi(step))
    };
    for value in steps(axes.x) {
        let (x, y) = axes.at(value, axes.y[0]);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y:.1}\" y2=\"{TOP}\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{value}</text>",
            y + 18.0
        );
    }
    for value in steps(axes.y) {
        let (x, y) = axes.at(axes.x[0], value);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{WIDE}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{value}</text>",
            x - 6.0,
            y + 4.0
        );
    }
    let (middle, low) = ((LEFT + WIDE) / 2.0, HIGH - 8.0);
    let _ = write!(svg, "<text x=\"{middle}\" y=\"{low}\" text-anchor=\"middle\">operations a byte</text>");
    let turned = HIGH / 2.0;
    let _ = write!(svg, "<text transform=\"translate(14 {turned}) rotate(-90)\" text-anchor=\"middle\">GFLOP/s</text>");
}

fn table(groups: &[Group]) -> String {
    let mut rows = String::new();
    for group in groups {
        let _ = write!(
            rows,
            "<tr><td>{:.3}</td><td>{:.1} %</td><td>{}</td><td>{:.1}</td><td>{:.1}</td><td>{:.0} %</td><td>{}</td></tr>",
            group.ms,
            group.share * 100.0,
            group.count,
            group.gflops,
            group.gigabytes_per_second,
            group.of_roofline * 100.0,
            escaped(&group.variant)
        );
    }
    format!(
        "<table><tr><th>ms</th><th>share</th><th>count</th><th>GFLOP/s</th><th>GB/s</th><th>of the roofline</th>\
         <th>kernel</th></tr>{rows}</table>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
