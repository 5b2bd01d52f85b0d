//! The graph as text, one line per node, and as DOT for a drawing.

use super::{Graph, Node, Op};
use std::fmt;

impl fmt::Display for Graph {
    /// `%7 conv2d 64x96x32 f16 <- %5 %6 (k3 s1 gelu) Encoder.0…`, then the outputs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.nodes.iter().enumerate() {
            let inputs: Vec<String> = node.inputs.iter().map(|input| format!("%{}", input.0)).collect();
            let arrow = if inputs.is_empty() { String::new() } else { format!(" <- {}", inputs.join(" ")) };
            let Node { op, shape, element, name, .. } = node;
            let head = format!("%{id} {}", op.kind());
            writeln!(f, "{head:<22} {shape} {element}{arrow}{}  # {name}", details(op))?;
        }
        for output in &self.outputs {
            writeln!(f, "output {} = %{}", output.name, output.node.0)?;
        }
        Ok(())
    }
}

impl Graph {
    /// The graph in Graphviz's language: `dot -Tsvg`.
    pub fn to_dot(&self) -> String {
        let mut dot = String::from("digraph irnext {\n  node [shape=box, fontname=\"monospace\"];\n");
        for (id, node) in self.nodes.iter().enumerate() {
            let label =
                format!("{}{}\\n{} {}\\n{}", node.op.kind(), details(&node.op), node.shape, node.element, node.name);
            dot += &format!("  n{id} [label=\"{label}\"];\n");
            for input in &node.inputs {
                dot += &format!("  n{} -> n{id};\n", input.0);
            }
        }
        for output in &self.outputs {
            dot += &format!("  {0} [shape=ellipse];\n  n{1} -> {0};\n", output.name, output.node.0);
        }
        dot + "}\n"
    }
}

/// What distinguishes this op from others of its kind.
fn details(op: &Op) -> String {
    let flags = |list: &[(&str, bool)]| list.iter().filter(|f| f.1).map(|f| format!(" {}", f.0)).collect::<String>();
    match op {
        Op::Conv2d(conv) => {
            let named =
                [("bias", conv.bias.is_some()), ("gelu", conv.epilogue.gelu), ("residual", conv.epilogue.residual)];
            format!(" (k{} s{}{})", conv.kernel, conv.stride, flags(&named))
        }
        Op::ConvTranspose2d(conv) => format!(" (k4 s2{})", flags(&[("gelu", conv.gelu)])),
        Op::Add { scale } if *scale != 1.0 => format!(" (scale {scale})"),
        Op::AvgPool { size } => format!(" ({size})"),
        Op::UpsampleSum { base, gelu, .. } => {
            let flags = flags(&[("base", *base), ("gelu", *gelu)]);
            if flags.is_empty() { flags } else { format!(" ({})", flags.trim_start()) }
        }
        Op::BoxMean { base, train } => format!(" ({base}/{train})"),
        Op::LowBand { cutoff } => format!(" (cutoff {cutoff})"),
        Op::TapActivation { activation, .. } => format!(" ({activation:?})"),
        Op::FilterTaps(taps) => format!(" ({:?})", taps.activation),
        Op::ReflectPad { left, right, top, bottom } => format!(" (l{left} r{right} t{top} b{bottom})"),
        _ => String::new(),
    }
}
