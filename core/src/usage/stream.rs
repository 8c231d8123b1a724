//! The usage of a streamed answer, event by event.

use crate::{
    error::{Code, Error, Result},
    json::{Limits, Node, Object, Value, parse},
    usage::{
        Basis, Surface, Usage,
        dialect::{Dialect, there},
    },
};

/// The payload with which chat streams end.
const DONE: &[u8] = b"[DONE]";

/// Where the events of a surface's streams say what was used, and which of them is the last to say so.
pub(super) struct Events {
    /// Where the body of R-USE-004 may stand in an event; the empty path is the event.
    bodies: &'static [&'static str],
    end: End,
    /// Whether an event's usage adds to that of the events before, member by member, and does not
    /// replace it.
    joined: bool,
}

/// Which event with a usage is the last one.
enum End {
    /// Each: a usage comes with the last event only.
    Any,
    /// One in or after which an item of the list has a reason for stopping, and one without items:
    /// (list, reason).
    Items(&'static str, &'static str),
    /// One in or after which there is a reason for stopping, here.
    Reason(&'static str),
}

impl Events {
    /// Chat completions: the last chunk, or, where every chunk has a usage, that of the choice's end.
    pub(super) const CHAT: Events =
        Events { bodies: &[""], end: End::Items("choices", "finish_reason"), joined: false };
    /// Events with a whole `response`.
    pub(super) const RESPONSES: Events =
        Events { bodies: &["response"], end: End::Any, joined: false };
    /// Partial images have no usage.
    pub(super) const IMAGES: Events = Events { bodies: &[""], end: End::Any, joined: false };
    /// `message_start` has the message with its input, `message_delta` how much there is by now.
    pub(super) const MESSAGES: Events =
        Events { bodies: &["message", ""], end: End::Reason("delta/stop_reason"), joined: true };
    /// Chunks with what was generated so far.
    pub(super) const GENERATE: Events =
        Events { bodies: &[""], end: End::Items("candidates", "finishReason"), joined: false };
    /// The event `metadata`, with or without its name.
    pub(super) const CONVERSE: Events =
        Events { bodies: &["metadata", ""], end: End::Any, joined: false };
    /// `message-end` of version 2, `stream-end` of version 1.
    pub(super) const COHERE: Events =
        Events { bodies: &["delta", "response"], end: End::Any, joined: false };

    /// The body of an event, and the usage object in it.
    fn open<'a>(
        &self,
        dialect: &Dialect,
        event: Node<'a>,
    ) -> Result<Option<(&'a Object, Node<'a>)>> {
        event.fields()?;
        for path in self.bodies {
            // A member of this name may be something else in other events.
            if let Some(body) = there(event, path)?
                && let Value::Object(members) = body.value()
                && let Some(found) = dialect.find(body)?
            {
                found.fields()?;
                return Ok(Some((members, found)));
            }
        }
        Ok(None)
    }

    /// Whether the event says why the answer stopped.
    fn stops(&self, event: Node<'_>) -> Result<bool> {
        match self.end {
            End::Any => Ok(true),
            End::Reason(path) => Ok(there(event, path)?.is_some()),
            End::Items(list, reason) => {
                let Some(list) = there(event, list)? else { return Ok(false) };
                for item in list.items()? {
                    if there(item, reason)?.is_some() {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// Whether the event has nothing that was generated, only what was used.
    fn is_bare(&self, event: Node<'_>) -> Result<bool> {
        let End::Items(list, _) = self.end else { return Ok(false) };
        Ok(match there(event, list)? {
            Some(list) => list.items()?.next().is_none(),
            None => true,
        })
    }
}

/// Reads the usage of one streamed answer from its events, in the order in which they come. Of the
/// answer itself nothing is kept, so memory does not grow with the stream.
///
/// An event is the payload of a server-sent event (what follows `data: `), or a message of a stream
/// that is framed otherwise. Give it every one: those that say nothing of the usage are passed over.
///
/// ```
/// use counterfoil::usage::{Basis, Stream, Surface};
///
/// let mut stream = Stream::new(Surface::AnthropicMessages)?;
/// stream.feed(br#"{"type": "message_start", "message": {"model": "m",
///   "usage": {"input_tokens": 25, "output_tokens": 1}}}"#)?;
/// stream.feed(br#"{"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}}"#)?;
/// // What is known if the client hangs up here.
/// assert_eq!((stream.is_complete(), stream.usage()?.basis()), (false, Basis::Estimated));
///
/// stream.feed(br#"{"type": "message_delta", "delta": {"stop_reason": "end_turn"},
///   "usage": {"output_tokens": 15}}"#)?;
/// let usage = stream.usage()?;
/// assert_eq!((stream.is_complete(), usage.basis()), (true, Basis::Reported));
/// assert_eq!((usage.get("input_tokens"), usage.get("output_tokens")), (25, 15));
///
/// let refused = stream.feed(br#"{"type": "message_delta", "usage": {"output_tokens": 14}}"#);
/// assert_eq!(refused.unwrap_err().code().as_str(), "usage_contradiction");
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stream {
    surface: Surface,
    /// Those members of the bodies that the surface reads.
    body: Object,
    /// The output of the last usage that said one.
    output: Option<u64>,
    /// Whether an event said why the answer stopped.
    stopped: bool,
    /// Whether the last usage is that of the whole answer.
    complete: bool,
}

impl Stream {
    /// A stream of this surface, of which nothing came yet.
    ///
    /// # Errors
    /// `usage_surface` for [`Surface::OtelGenAi`] and [`Surface::Plain`], which have no streams.
    pub fn new(surface: Surface) -> Result<Stream> {
        surface.streamed()?;
        Ok(Stream { surface, body: Object::new(), output: None, stopped: false, complete: false })
    }

    /// Takes the next event: a JSON object, or the text `[DONE]`. An event that is refused changes
    /// nothing, and others may follow.
    ///
    /// # Errors
    /// `usage_contradiction` when less output was used than an earlier event said, and the reader's
    /// `json_*` codes, each with its place in the event. Whether the usage is otherwise good,
    /// [`Stream::usage`] says.
    pub fn feed(&mut self, event: &[u8]) -> Result<()> {
        if event.trim_ascii() == DONE {
            self.complete |= !self.body.is_empty();
            self.stopped = true;
            return Ok(());
        }
        let (dialect, events) = self.surface.streamed()?;
        let event = parse(event, &Limits::default())?;
        let event = event.root();
        let found = events.open(dialect, event)?;
        let stopped = events.stops(event)? || self.stopped;
        if let Some((body, usage)) = found {
            let output = dialect.output_of(usage)?;
            if let (Some(earlier), Some(output)) = (self.output, output)
                && output < earlier
            {
                return Err(usage
                    .error(Code::UsageContradiction)
                    .because("less output than an earlier event says"));
            }
            self.complete = stopped || events.is_bare(event)?;
            self.output = output.or(self.output);
            self.keep(dialect, events, body);
        }
        self.stopped = stopped;
        Ok(())
    }

    /// Keeps what the surface reads of a body, in place of what earlier ones said of it.
    fn keep(&mut self, dialect: &Dialect, events: &Events, body: &Object) {
        for (name, value) in body.iter() {
            if *value == Value::Null || !dialect.reads(name) {
                continue;
            }
            let value = match (self.body.get(name), value) {
                (Some(Value::Object(known)), Value::Object(new)) if events.joined => {
                    let mut joined = known.clone();
                    for (name, value) in new.iter().filter(|(_, value)| **value != Value::Null) {
                        joined.insert(name, value.clone());
                    }
                    Value::Object(joined)
                }
                _ => value.clone(),
            };
            self.body.insert(name, value);
        }
    }

    /// Whether the last usage that came is that of the whole answer.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What was used. Of an answer that did not end it is what its provider last said of it, with the
    /// basis [`Basis::Estimated`]: there may have been more.
    ///
    /// # Errors
    /// `usage_missing` when no event had a usage; otherwise as [`Usage::from_json`], with places in a
    /// body that has what the events said.
    pub fn usage(&self) -> Result<Usage> {
        if self.body.is_empty() {
            return Err(Error::new(Code::UsageMissing).because("no event has a usage"));
        }
        let usage = Usage::from_json(self.surface, &Value::Object(self.body.clone()))?;
        Ok(if self.complete { usage } else { usage.on(Basis::Estimated) })
    }
}
