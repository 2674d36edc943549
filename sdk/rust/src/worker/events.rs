//! Reading the event stream format, in time linear in its bytes and in bounded memory.
//!
//! The rules are those of the [HTML standard](https://html.spec.whatwg.org/multipage/server-sent-events.html).
//! `id` and `retry` are passed over: a message carries its position in its data, and how long to wait is ours.
//! Text that is no UTF-8 is an error, where the standard would replace it: nothing is read as something else.

/// What a byte order mark is in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// A field's name is read this far: one byte more than the longest that is known.
const FIELD_MAX: usize = 6;
/// An event's name is read this far: farther than any that is known.
const NAME_MAX: usize = 64;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Its name; `message` where it has none.
    pub(super) name: String,
    /// Its lines of data, joined.
    pub(super) data: String,
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("an event is longer than {0} bytes")]
    TooLong(usize),
    #[error("an event is no text")]
    NoText,
}

/// Reads one stream, however its bytes are cut into pieces.
#[derive(Debug)]
pub(super) struct Reader {
    /// The most bytes from one blank line to the next.
    limit: usize,
    /// Bytes since the last blank line, those that were passed over included.
    length: usize,
    /// Bytes of the byte order mark that were read; `None` once it is settled whether there is one.
    mark: Option<usize>,
    /// The last byte was a carriage return: a line feed right after it ends no other line.
    after_return: bool,
    line: Line,
    field: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
}

/// Where in a line the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// In the field's name.
    Field,
    /// Right after the colon, where one space is passed over.
    Colon(Field),
    /// In the value.
    Value(Field),
    /// In a comment, or in a field that is not known.
    Ignored,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Event,
    Data,
}

impl Field {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"event" => Some(Self::Event),
            b"data" => Some(Self::Data),
            _ => None,
        }
    }
}

impl Reader {
    /// Reads a stream whose events are no longer than this, in bytes.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            length: 0,
            mark: Some(0),
            after_return: false,
            line: Line::Field,
            field: Vec::new(),
            name: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Bytes of data of the event that is under way. Garbage does not make it grow.
    pub(super) const fn under_way(&self) -> usize {
        self.data.len()
    }

    /// Reads on, and adds the events that are complete by that.
    ///
    /// # Errors
    /// When an event is too long or no text. Those before it are good; the reader is of no use after that.
    pub(super) fn read(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Unreadable> {
        let mut bytes = self.pass_mark(bytes)?;
        while let Some((first, rest)) = bytes.split_first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.read_part(part)?;
            bytes = match rest.split_first() {
                Some((ending, rest)) => {
                    self.after_return = *ending == b'\r';
                    events.extend(self.end_line()?);
                    rest
                }
                None => rest,
            };
        }
        Ok(())
    }

    /// Passes over a byte order mark at the very beginning.
    fn pass_mark<'b>(&mut self, mut bytes: &'b [u8]) -> Result<&'b [u8], Unreadable> {
        while let (Some(read), Some((first, rest))) = (self.mark, bytes.split_first()) {
            if BOM.get(read) == Some(first) {
                self.mark = Some(read + 1).filter(|read| *read < BOM.len());
                bytes = rest;
            } else {
                self.mark = None;
                self.read_part(BOM.get(..read).unwrap_or_default())?;
            }
        }
        Ok(bytes)
    }

    /// Reads a part of a line.
    fn read_part(&mut self, mut part: &[u8]) -> Result<(), Unreadable> {
        self.lengthen(part.len())?;
        while let Some((first, rest)) = part.split_first() {
            match self.line {
                Line::Field => {
                    let colon = part.iter().position(|byte| *byte == b':');
                    let (field, value) = part.split_at(colon.unwrap_or(part.len()));
                    extend_to(&mut self.field, field, FIELD_MAX);
                    part = value.get(1..).unwrap_or_default();
                    if colon.is_some() {
                        self.begin_value();
                    }
                }
                Line::Colon(field) => {
                    self.line = Line::Value(field);
                    if *first == b' ' {
                        part = rest;
                    }
                }
                Line::Value(Field::Event) => {
                    extend_to(&mut self.name, part, NAME_MAX);
                    return Ok(());
                }
                Line::Value(Field::Data) => {
                    self.data.extend_from_slice(part);
                    return Ok(());
                }
                Line::Ignored => return Ok(()),
            }
        }
        Ok(())
    }

    fn begin_value(&mut self) {
        let field = Field::named(&self.field);
        if field == Some(Field::Event) {
            self.name.clear();
        }
        self.line = field.map_or(Line::Ignored, Line::Colon);
    }

    fn end_line(&mut self) -> Result<Option<Event>, Unreadable> {
        if self.line == Line::Field {
            if self.field.is_empty() {
                return self.end_event();
            }
            // A field without a colon has an empty value.
            self.begin_value();
        }
        if matches!(self.line, Line::Colon(Field::Data) | Line::Value(Field::Data)) {
            self.data.push(b'\n');
        }
        self.line = Line::Field;
        self.field.clear();
        self.lengthen(1)?;
        Ok(None)
    }

    /// A blank line ends the event, if there is one.
    fn end_event(&mut self) -> Result<Option<Event>, Unreadable> {
        self.length = 0;
        let (name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        // Every line of data has left its end; where there was none, there is no event.
        if data.pop().is_none() {
            return Ok(None);
        }
        let text = |bytes| String::from_utf8(bytes).map_err(|_| Unreadable::NoText);
        let name = if name.is_empty() { "message".to_owned() } else { text(name)? };
        Ok(Some(Event { name, data: text(data)? }))
    }

    fn lengthen(&mut self, by: usize) -> Result<(), Unreadable> {
        self.length = self.length.saturating_add(by);
        if self.length > self.limit { Err(Unreadable::TooLong(self.limit)) } else { Ok(()) }
    }
}

/// Appends what there is room for.
fn extend_to(buffer: &mut Vec<u8>, bytes: &[u8], max: usize) {
    let room = max.saturating_sub(buffer.len()).min(bytes.len());
    buffer.extend_from_slice(bytes.get(..room).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Named = Vec<(String, String)>;

    /// The events, and how reading ended.
    fn read(pieces: &[&[u8]]) -> (Named, Result<(), Unreadable>) {
        let (mut reader, mut events) = (Reader::new(1_000), Vec::new());
        let end = pieces.iter().try_for_each(|piece| reader.read(piece, &mut events));
        (events.into_iter().map(|event| (event.name, event.data)).collect(), end)
    }

    fn events(pieces: &[&[u8]]) -> Result<Named, Unreadable> {
        let (events, end) = read(pieces);
        end.map(|()| events)
    }

    #[track_caller]
    fn check(stream: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect();
        assert_eq!(events(&[stream.as_bytes()]).unwrap(), expected, "{stream:?}");
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(events(&bytes).unwrap(), expected, "{stream:?}, byte by byte");
    }

    #[test]
    fn the_rules_of_the_standard() {
        check("data: a\n\n", &[("message", "a")]);
        check("event: e\ndata: a\n\n", &[("e", "a")]);
        check("data: a\nevent: e\n\ndata: b\n\n", &[("e", "a"), ("message", "b")]);
        check("event: e\nevent: f\ndata: a\n\n", &[("f", "a")]);
        check("event: e\nevent\ndata: a\n\n", &[("message", "a")]);
        check("data: a\ndata: b\n\n", &[("message", "a\nb")]);
        check("data:a\n\ndata:  a\n\ndata: a:b\n\n", &[("message", "a"), ("message", " a"), ("message", "a:b")]);
        check("data\n\ndata\ndata\n\ndata:\n\n", &[("message", ""), ("message", "\n"), ("message", "")]);
        check("data: a\r\n\r\ndata: b\r\rdata: c\n\n", &[("message", "a"), ("message", "b"), ("message", "c")]);
        check("data: a\r\ndata: b\n\r\n", &[("message", "a\nb")]);
        check("\u{feff}data: a\n\n", &[("message", "a")]);
        check("\u{feff}\u{feff}data: a\n\n", &[]);
        check("data: \u{feff}ä🌅\n\n", &[("message", "\u{feff}ä🌅")]);
        check(": comment\n\n:\n:data: a\n\n", &[]);
        check("id: 7\nretry: 9\nother: x\nDATA: x\n data: x\ndatas: x\ndata: a\n\n", &[("message", "a")]);
        check("event: e\n\ndata: a\n\n", &[("message", "a")]);
        check("\n\n\r\r\r\n\r\n", &[]);
        check("data: a\n\ndata: cut", &[("message", "a")]);
        check("data: a\n\ndata: cut\n", &[("message", "a")]);
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        assert_eq!(events(&[b"data: \xff\n\n"]), Err(Unreadable::NoText));
        assert_eq!(events(&[b"event: \xff\ndata: a\n\n"]), Err(Unreadable::NoText));
        let before = vec![("message".to_owned(), "a".to_owned())];
        assert_eq!(
            read(&[b"data: a\n\ndata: \xff\n\n"]),
            (before, Err(Unreadable::NoText)),
            "what came before is good"
        );
        assert_eq!(events(&[b"\xef\xbbdata: a\n: \xff\n\n"]), Ok(Vec::new()), "what is passed over may be anything");
    }

    /// Invariant 6: whatever a server sends, memory stays bounded.
    #[test]
    fn invariant_6_a_stream_takes_bounded_memory() {
        let endless: &[&[u8]] = &[b"x", b"x\n", b"data: x\n", b"data\n", b": x\n", b"event: x", b"data: ", b"id: 1\r"];
        for piece in endless {
            let mut reader = Reader::new(1_000);
            let mut events = Vec::new();
            let end = (0..2_000).find_map(|_| reader.read(piece, &mut events).err());
            assert_eq!(end, Some(Unreadable::TooLong(1_000)), "{piece:?}");
            let held = reader.data.capacity() + reader.name.capacity() + reader.field.capacity();
            assert!(held <= 3_000, "{piece:?} holds {held} bytes");
        }
        let garbage = vec![b'x'; 100_000];
        let mut reader = Reader::new(1_000_000);
        reader.read(&garbage, &mut Vec::new()).unwrap();
        assert!(reader.field.capacity() <= 64 && reader.under_way() == 0, "what is no field is not kept");
        let many = "data: a\n\n".repeat(1_000);
        assert_eq!(events(&[many.as_bytes()]).unwrap().len(), 1_000, "the limit is that of one event");
    }

    /// Streams of everything that has a meaning, and of what has none.
    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let words: Vec<&[u8]> = vec![
            b"data",
            b"event",
            b"id",
            b":",
            b": ",
            b" ",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"a",
            b"{}",
            b"\xef\xbb\xbf",
            b"\xef",
            b"\xbb",
            b"\xff",
            "ä".as_bytes(),
        ];
        prop::collection::vec(prop::sample::select(words), 0..60).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same(stream in streams(), cuts in prop::collection::vec(0_usize..80, 0..8)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&[&stream]), read(&pieces));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = events(&[&bytes]);
        }

        #[test]
        fn what_is_written_is_read(lines in prop::collection::vec("[^\r\n]{0,20}", 1..5), name in "[a-z]{1,20}") {
            let data = lines.join("\n");
            let mut text = format!("event: {name}\n");
            lines.iter().for_each(|line| text.push_str(&format!("data: {line}\n")));
            text.push('\n');
            prop_assert_eq!(events(&[text.as_bytes()]), Ok(vec![(name, data)]));
        }
    }
}
