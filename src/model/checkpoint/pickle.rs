//! The tree of data that a pickle holds, as [`super::unpickle`] builds it.
//!
//! Nodes live in one flat vector and are referred to by number, so that sharing costs nothing, cycles are harmless and
//! depth needs no recursion.

use super::globals::Global;
use thiserror::Error;

/// The first byte of every pickle of protocol 2 and later.
pub const PROTO: u8 = 0x80;

/// Opcodes in one pickle. The largest checkpoints of this network take some 100 000.
pub(super) const MAX_OPERATIONS: usize = 1 << 21;

/// One value; lists, dicts and the like by number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// A longer integer, two's complement, little-endian.
    Long(&'a [u8]),
    /// A float.
    Float(f64),
    /// A string.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A name on the list.
    Global(Global<'a>),
    /// A node of this number.
    Node(usize),
}

impl Value<'_> {
    /// What it is, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::Long(_) => "an int",
            Value::Float(_) => "a float",
            Value::Text(_) => "a string",
            Value::Bytes(_) => "bytes",
            Value::Global(_) => "a class or function",
            Value::Node(_) => "an object",
        }
    }
}

/// A value made of others.
#[derive(Clone, Debug, PartialEq)]
pub enum Node<'a> {
    /// A tuple.
    Tuple(Vec<Value<'a>>),
    /// A list or a set.
    List(Vec<Value<'a>>),
    /// A dict, in the order of insertion; a key met again replaces the earlier one.
    Dict(Vec<(Value<'a>, Value<'a>)>),
    /// What Python would have called here, and what was put into the result as into a dict.
    Call {
        /// The name.
        function: Global<'a>,
        /// Its arguments, mostly a tuple.
        arguments: Value<'a>,
        /// Items set on the result.
        items: Vec<(Value<'a>, Value<'a>)>,
    },
    /// A reference to something outside of the pickle: in PyTorch, a storage.
    Persistent(Value<'a>),
}

/// A pickle that could not be walked to its end.
#[derive(Debug, Error, PartialEq)]
#[error("{kind}, at byte {offset} of the pickle")]
pub struct PickleError {
    /// Where the opcode begins.
    pub offset: usize,
    /// Why.
    pub kind: PickleErrorKind,
}

/// Why a pickle could not be walked.
#[derive(Debug, Error, PartialEq)]
pub enum PickleErrorKind {
    /// It names what a checkpoint has no business with.
    #[error(
        "refused {:?}: a file of weights has no need of it (nothing was run; if the file holds a whole model, save its \
         `state_dict()` instead)",
        format!("{module}.{name}")
    )]
    Refused {
        /// The module.
        module: String,
        /// The name in it.
        name: String,
    },
    /// It ends within.
    #[error("the pickle ends within an opcode, or before STOP (the file may be cut short: fetch or copy it again)")]
    Truncated,
    /// An opcode of protocols 0 and 1, of out-of-band buffers, or of none.
    #[error("opcode 0x{0:02x} is not supported")]
    Opcode(u8),
    /// A protocol not known here.
    #[error("pickle protocol {0} is not supported; expected 2 to 5")]
    Protocol(u8),
    /// An opcode takes more than the stack holds.
    #[error("the stack holds too few values")]
    Underflow,
    /// An opcode found another type than it needs.
    #[error("expected {expected}, but found {found}")]
    Type {
        /// What is needed.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// Text that is not UTF-8.
    #[error("a string is not UTF-8")]
    Text,
    /// A memo entry that was never written.
    #[error("memo {0} was never written")]
    Memo(u32),
    /// More opcodes than any checkpoint needs.
    #[error("more than {MAX_OPERATIONS} opcodes")]
    TooLong,
}

/// The tree of a pickle.
#[derive(Debug)]
pub struct Pickle<'a> {
    /// Its outermost value.
    pub root: Value<'a>,
    /// Bytes it took, STOP included.
    pub length: usize,
    pub(super) nodes: Vec<Node<'a>>,
}

impl<'a> Pickle<'a> {
    /// The node behind a value, if it is one.
    pub fn node(&self, value: Value<'a>) -> Option<&Node<'a>> {
        match value {
            Value::Node(number) => self.nodes.get(number),
            _ => None,
        }
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node<'a>] {
        &self.nodes
    }

    /// The values of a tuple, or of a `torch.Size`.
    pub fn tuple(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        let values = match self.node(value)? {
            Node::Call { function: Global::Size, arguments, .. } => *self.tuple_node(*arguments)?.first()?,
            _ => value,
        };
        self.tuple_node(values)
    }

    fn tuple_node(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match self.node(value)? {
            Node::Tuple(values) => Some(values),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub fn describe(&self, value: Value<'a>) -> &'static str {
        match self.node(value) {
            Some(Node::Tuple(_)) => "a tuple",
            Some(Node::List(_)) => "a list",
            Some(Node::Dict(_) | Node::Call { function: Global::Mapping, .. }) => "a dict",
            Some(Node::Call { function: Global::RebuildTensor | Global::RebuildParameter, .. }) => "a tensor",
            Some(Node::Persistent(_)) => "a storage",
            Some(Node::Call { .. }) | None => value.describe(),
        }
    }
}
