//! A walk through a pickle that builds a tree of data and can do nothing else.
//!
//! Python's unpickler is a stack machine that imports and calls what the file names. This one has the same stack, but
//! where Python calls, it notes the name and the arguments ([`Node::Call`]), and a name off the list of
//! [`super::globals`] ends the walk.
//!
//! Source of the opcodes: CPython's `Lib/pickletools.py`, protocols 2 to 5.

use super::error::shorten;
use super::globals;
use super::pickle::PickleErrorKind::{Memo, Opcode, Protocol, Refused, Text, TooLong, Truncated, Type, Underflow};
use super::pickle::{MAX_OPERATIONS, Node, PROTO, Pickle, PickleError, PickleErrorKind, Value};
use std::collections::HashMap;

/// Walks the pickle at the start of `bytes`.
///
/// # Errors
/// When it names anything off the list, is truncated, is none of protocols 2 to 5, or has more than 2 097 152 opcodes.
pub fn parse(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    let mut machine =
        Machine { bytes, position: 0, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), nodes: Vec::new() };
    for _ in 0..MAX_OPERATIONS {
        let offset = machine.position;
        match machine.step() {
            Ok(None) => (),
            Ok(Some(root)) => return Ok(Pickle { root, length: machine.position, nodes: machine.nodes }),
            Err(kind) => return Err(PickleError { offset, kind }),
        }
    }
    Err(PickleError { offset: machine.position, kind: TooLong })
}

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    stack: Vec<Value<'a>>,
    /// Stack heights that MARK left; nothing below the last can be reached.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    nodes: Vec<Node<'a>>,
}

impl<'a> Machine<'a> {
    /// One opcode; STOP gives the root.
    fn step(&mut self) -> Result<Option<Value<'a>>, PickleErrorKind> {
        match self.byte()? {
            PROTO => match self.byte()? {
                2..=5 => (),
                other => return Err(Protocol(other)),
            },
            b'.' => return self.pop().map(Some),
            0x95 => {
                // FRAME: a hint for readers from a stream.
                self.take::<8>()?;
            }

            // The stack and the memo.
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                // POP takes a mark where one lies on top.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => {
                self.pop_to_mark()?;
            }
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'q' => {
                let index = self.byte()?;
                self.put(u32::from(index))?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.take()?);
                self.put(index)?;
            }
            0x94 => self.put(self.memo.len() as u32)?, // MEMOIZE; at most MAX_OPERATIONS entries
            b'h' => {
                let index = self.byte()?;
                self.get(u32::from(index))?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.take()?);
                self.get(index)?;
            }

            // Plain values.
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'K' => {
                let value = self.byte()?;
                self.stack.push(Value::Int(i64::from(value)));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.take()?);
                self.stack.push(Value::Int(i64::from(value)));
            }
            b'J' => {
                let value = i32::from_le_bytes(self.take()?);
                self.stack.push(Value::Int(i64::from(value)));
            }
            0x8a => {
                let length = self.byte()?;
                self.long(usize::from(length))?;
            }
            0x8b => {
                let length = self.length::<4>()?;
                self.long(length)?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.take()?);
                self.stack.push(Value::Float(value));
            }
            0x8c => self.text::<1>()?,
            b'X' => self.text::<4>()?,
            0x8d => self.text::<8>()?,
            b'C' => self.binary::<1>()?,
            b'B' => self.binary::<4>()?,
            0x8e | 0x96 => self.binary::<8>()?, // BINBYTES8, BYTEARRAY8
            b'U' => self.python2_string::<1>()?,
            b'T' => self.python2_string::<4>()?,

            // Values made of others.
            b')' => self.push_node(Node::Tuple(Vec::new())),
            0x85..=0x87 => {
                let length = usize::from(self.bytes[self.position - 1] - 0x84);
                let start = self.reach(length)?;
                let values = self.stack.split_off(start);
                self.push_node(Node::Tuple(values));
            }
            b't' => {
                let values = self.pop_to_mark()?;
                self.push_node(Node::Tuple(values));
            }
            b']' | 0x8f => self.push_node(Node::List(Vec::new())), // EMPTY_LIST, EMPTY_SET
            b'l' | 0x91 => {
                // LIST, FROZENSET
                let values = self.pop_to_mark()?;
                self.push_node(Node::List(values));
            }
            b'a' => {
                let value = self.pop()?;
                self.append(vec![value])?;
            }
            b'e' | 0x90 => {
                // APPENDS, ADDITEMS
                let values = self.pop_to_mark()?;
                self.append(values)?;
            }
            b'}' => self.push_node(Node::Dict(Vec::new())),
            b'd' => {
                let values = self.pop_to_mark()?;
                self.push_node(Node::Dict(Vec::new()));
                self.set_items(&values)?;
            }
            b's' => {
                let start = self.reach(2)?;
                let values = self.stack.split_off(start);
                self.set_items(&values)?;
            }
            b'u' => {
                let values = self.pop_to_mark()?;
                self.set_items(&values)?;
            }

            // Where Python would import and call.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err(Type { expected: "the name of a global", found: name.describe() });
                };
                self.global(module, name)?;
            }
            b'R' | 0x81 => {
                // REDUCE, NEWOBJ
                let arguments = self.pop()?;
                self.call(arguments)?;
            }
            0x92 => {
                // NEWOBJ_EX
                let (_keywords, arguments) = (self.pop()?, self.pop()?);
                self.call(arguments)?;
            }
            b'b' => {
                // BUILD: attributes of an object (`_metadata` of a state dict). No weight lies there.
                self.pop()?;
                self.top()?;
            }
            b'Q' => {
                let identity = self.pop()?;
                self.push_node(Node::Persistent(identity));
            }
            other => return Err(Opcode(other)),
        }
        Ok(None)
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], PickleErrorKind> {
        let rest = &self.bytes[self.position..];
        let slice = rest.get(..length).ok_or(Truncated)?;
        self.position += length;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PickleErrorKind> {
        self.slice(N)?.try_into().map_err(|_| Truncated)
    }

    fn byte(&mut self) -> Result<u8, PickleErrorKind> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// A length of N little-endian bytes.
    fn length<const N: usize>(&mut self) -> Result<usize, PickleErrorKind> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.take::<N>()?);
        usize::try_from(u64::from_le_bytes(wide)).map_err(|_| Truncated)
    }

    /// Up to a line feed, which is left out.
    fn line(&mut self) -> Result<&'a str, PickleErrorKind> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(Truncated)?;
        self.position += length + 1;
        str::from_utf8(&rest[..length]).map_err(|_| Text)
    }

    fn text<const N: usize>(&mut self) -> Result<(), PickleErrorKind> {
        let length = self.length::<N>()?;
        let text = str::from_utf8(self.slice(length)?).map_err(|_| Text)?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn binary<const N: usize>(&mut self) -> Result<(), PickleErrorKind> {
        let length = self.length::<N>()?;
        let bytes = self.slice(length)?;
        self.stack.push(Value::Bytes(bytes));
        Ok(())
    }

    /// Python 2's `str` is either.
    fn python2_string<const N: usize>(&mut self) -> Result<(), PickleErrorKind> {
        let length = self.length::<N>()?;
        let bytes = self.slice(length)?;
        self.stack.push(str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text));
        Ok(())
    }

    /// An integer of `length` bytes, two's complement, little-endian.
    fn long(&mut self, length: usize) -> Result<(), PickleErrorKind> {
        let bytes = self.slice(length)?;
        let sign = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
        self.stack.push(if length <= 8 {
            let mut wide = [sign; 8];
            wide[..length].copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(wide))
        } else {
            Value::Long(bytes)
        });
        Ok(())
    }

    /// Where the topmost `length` values begin.
    fn reach(&self, length: usize) -> Result<usize, PickleErrorKind> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.len().checked_sub(length).filter(|&start| start >= floor).ok_or(Underflow)
    }

    fn top(&self) -> Result<Value<'a>, PickleErrorKind> {
        Ok(self.stack[self.reach(1)?])
    }

    fn pop(&mut self) -> Result<Value<'a>, PickleErrorKind> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, PickleErrorKind> {
        let mark = self.marks.pop().ok_or(Underflow)?;
        Ok(self.stack.split_off(mark))
    }

    fn put(&mut self, index: u32) -> Result<(), PickleErrorKind> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn get(&mut self, index: u32) -> Result<(), PickleErrorKind> {
        let value = *self.memo.get(&index).ok_or(Memo(index))?;
        self.stack.push(value);
        Ok(())
    }

    fn push_node(&mut self, node: Node<'a>) {
        self.stack.push(Value::Node(self.nodes.len()));
        self.nodes.push(node);
    }

    /// The node on top of the stack, to be added to.
    fn top_node(&mut self, expected: &'static str) -> Result<&mut Node<'a>, PickleErrorKind> {
        let top = self.top()?;
        match top {
            Value::Node(number) => Ok(&mut self.nodes[number]),
            _ => Err(Type { expected, found: top.describe() }),
        }
    }

    fn append(&mut self, mut values: Vec<Value<'a>>) -> Result<(), PickleErrorKind> {
        match self.top_node("a list or a set")? {
            Node::List(list) => list.append(&mut values),
            Node::Call { .. } => (), // a list of a class of its own
            _ => return Err(Type { expected: "a list or a set", found: "another object" }),
        }
        Ok(())
    }

    fn set_items(&mut self, values: &[Value<'a>]) -> Result<(), PickleErrorKind> {
        let (pairs, rest) = values.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Underflow);
        }
        match self.top_node("a dict")? {
            Node::Dict(items) | Node::Call { items, .. } => {
                items.extend(pairs.iter().map(|&[key, value]| (key, value)))
            }
            _ => return Err(Type { expected: "a dict", found: "another object" }),
        }
        Ok(())
    }

    fn global(&mut self, module: &str, name: &'a str) -> Result<(), PickleErrorKind> {
        let global =
            globals::resolve(module, name).ok_or_else(|| Refused { module: shorten(module), name: shorten(name) })?;
        self.stack.push(Value::Global(global));
        Ok(())
    }

    fn call(&mut self, arguments: Value<'a>) -> Result<(), PickleErrorKind> {
        match self.pop()? {
            Value::Global(function) => self.push_node(Node::Call { function, arguments, items: Vec::new() }),
            other => return Err(Type { expected: "a global to call", found: other.describe() }),
        }
        Ok(())
    }
}
