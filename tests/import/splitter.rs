//! The splitter, which cuts bytes into orders: it agrees with serde_json, however the bytes are cut
//! into chunks.

use commands::import::splitter::{Content, Format, Piece, ResumePoint, Splitter};
use proptest::prelude::*;
use serde_json::{Value, value::RawValue};

/// Returns every piece behind `mark`. The bytes come in chunks of these sizes, which are repeated.
fn pieces(bytes: &[u8], mark: ResumePoint, chunks: &[usize], longest: usize) -> Vec<Piece> {
    let mut splitter = Splitter::new(mark, longest);
    let mut rest = &bytes[mark.offset as usize..];
    let mut pieces = Vec::new();
    let mut sizes = chunks.iter().cycle();
    loop {
        while let Some(piece) = splitter.next_piece() {
            pieces.push(piece);
            assert!(pieces.len() <= bytes.len() + 2, "more pieces than bytes");
        }
        if rest.is_empty() {
            break;
        }
        let size = (*sizes.next().unwrap()).min(rest.len());
        splitter.feed(&rest[..size]);
        rest = &rest[size..];
    }
    splitter.end();
    while let Some(piece) = splitter.next_piece() {
        pieces.push(piece);
        assert!(pieces.len() <= bytes.len() + 2, "more pieces than bytes");
    }
    pieces
}

fn whole(bytes: &[u8]) -> Vec<Piece> {
    pieces(bytes, ResumePoint::BEGINNING, &[bytes.len().max(1)], 10_000)
}

/// Returns the texts of pieces that are all texts.
fn texts(pieces: &[Piece]) -> Vec<String> {
    let text = |piece: &Piece| match &piece.content {
        Content::Text(text) => String::from_utf8(text.clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    pieces.iter().map(text).collect()
}

/// Draws JSON of a few levels.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object_of(inner),
        ]
    })
}

/// Draws a text of the characters that have a meaning to the splitter.
fn text() -> impl Strategy<Value = String> {
    "[a\"\\\\{}\\[\\],: \n\u{e9}]{0,6}"
}

fn object_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let members = prop::collection::vec((text(), value), 0..4);
    members.prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn objects() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(object_of(value()), 0..6)
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..40, 1..6)
}

fn parsed(texts: &[String]) -> Vec<Value> {
    let parse = |text: &String| serde_json::from_str(text).unwrap();
    texts.iter().map(parse).collect()
}

/// Draws bytes that resemble an order file.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\n",
        "\r\n",
        " ",
        "1",
        "null",
        "\u{feff}",
        "é",
        "{}",
        "{}\n",
        "{\"a\":1}",
        "{\"a\":[{}]}\n",
        "\"b\"",
        "{\"a\":\n1}",
        "[{},{}]",
    ]);
    prop::collection::vec(token, 0..30).prop_map(|tokens| tokens.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_array_is_cut_where_serde_json_cuts_it(
        values in prop::collection::vec(value(), 0..6), pretty: bool, sizes in sizes(),
    ) {
        let text = match pretty {
            true => serde_json::to_string_pretty(&values).unwrap(),
            false => serde_json::to_string(&values).unwrap(),
        };
        let raw: Vec<&RawValue> = serde_json::from_str(&text).unwrap();
        let expected: Vec<&str> = raw.iter().map(|raw| raw.get()).collect();
        let cut = pieces(text.as_bytes(), ResumePoint::BEGINNING, &sizes, 10_000);
        prop_assert_eq!(texts(&cut), expected);
    }

    #[test]
    fn lines_are_cut_at_their_ends(
        values in objects(), crlf: bool, ended: bool, named: bool, sizes in sizes(),
    ) {
        prop_assume!(named || !values.is_empty());
        let lines: Vec<String> = values.iter().map(Value::to_string).collect();
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = lines.join(end);
        if ended {
            text.push_str(end);
        }
        let mark = if named { ResumePoint::FIRST_LINE } else { ResumePoint::BEGINNING };
        let cut = pieces(text.as_bytes(), mark, &sizes, 10_000);
        prop_assert_eq!(texts(&cut), lines);
    }

    #[test]
    fn orders_over_many_lines_follow_each_other(
        mut values in prop::collection::vec(object_of(value()), 1..5), sizes in sizes(),
    ) {
        // An empty object stays on one line, also in indented JSON.
        for value in &mut values {
            value["member"] = 1.into();
        }
        let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
        let text = values.iter().map(pretty).collect::<Vec<_>>().join("\n");
        let cut = pieces(text.as_bytes(), ResumePoint::BEGINNING, &sizes, 10_000);
        prop_assert_eq!(parsed(&texts(&cut)), values);
    }

    #[test]
    fn the_cuts_do_not_depend_on_the_chunks(
        bytes in nearly(), sizes in sizes(), longest in 1usize..60, lines: bool,
    ) {
        let mark = if lines { ResumePoint::FIRST_LINE } else { ResumePoint::BEGINNING };
        let at_once = pieces(&bytes, mark, &[bytes.len().max(1)], longest);
        prop_assert_eq!(pieces(&bytes, mark, &sizes, longest), at_once);
    }

    #[test]
    fn from_every_mark_it_goes_on_alike(
        bytes in nearly(), sizes in sizes(), longest in 1usize..60,
    ) {
        let all = pieces(&bytes, ResumePoint::BEGINNING, &[7], longest);
        for (index, piece) in all.iter().enumerate() {
            let rest = pieces(&bytes, piece.after, &sizes, longest);
            prop_assert_eq!(&rest[..], &all[index + 1..], "from {:?}", piece.after);
        }
    }

    #[test]
    fn a_broken_line_costs_nothing_but_itself(
        values in prop::collection::vec(object_of(value()), 1..5),
        broken in "[a\"{}\\[\\],:]{1,8}", at in 0usize..5, sizes in sizes(),
    ) {
        let at = at.min(values.len());
        prop_assume!(serde_json::from_str::<Value>(&broken).is_err());
        // Complete objects that follow each other are orders, whatever follows them.
        prop_assume!(!broken.replace([' ', '\t'], "").contains("}{"));
        // A file that begins with a bracket is an array, unless its name says otherwise.
        let mark = if broken.starts_with('[') { ResumePoint::FIRST_LINE } else { ResumePoint::BEGINNING };
        let mut lines: Vec<String> = values.iter().map(Value::to_string).collect();
        lines.insert(at, broken);
        let cut = pieces(lines.join("\n").as_bytes(), mark, &sizes, 10_000);
        prop_assert_eq!(texts(&cut), lines);
    }
}

#[test]
fn the_last_piece_of_a_broken_file_takes_the_rest_with_it() {
    for (text, content) in [
        ("", Content::Nothing),
        (" \n", Content::Nothing),
        ("hello\nworld", Content::NotJson),
        ("[", Content::Unclosed),
        ("[{\"a\"", Content::Unclosed),
        ("{\n\"a\":1,\n}", Content::NotJson),
    ] {
        let cut = whole(text.as_bytes());
        assert_eq!(cut.len(), 1, "{text}: {cut:?}");
        assert_eq!(cut[0].content, content, "{text}");
        assert_eq!(cut[0].after.format, Format::End, "{text}");
    }
    let far_away = [vec![b' '; 20_000], b"hello".to_vec()].concat();
    assert_eq!(whole(&far_away)[0].content, Content::NotJson);
    assert_eq!(whole(b"[]"), vec![]);
    assert_eq!(whole(b" [ ] \n"), vec![]);
}

#[test]
fn a_long_text_is_never_held() {
    let mut splitter = Splitter::new(ResumePoint::BEGINNING, 100);
    splitter.feed(b"[{\"a\":\"");
    for _ in 0..10_000 {
        splitter.feed(&[b'x'; 1_000]);
        assert_eq!(splitter.next_piece(), None);
        assert!(splitter.held() <= 1_200, "{} bytes", splitter.held());
    }
    splitter.feed(b"\"},{\"b\":1}]");
    splitter.end();
    assert_eq!(splitter.next_piece().unwrap().content, Content::TooLong);
    assert_eq!(
        splitter.next_piece().unwrap().content,
        Content::Text(b"{\"b\":1}".into())
    );
    assert_eq!(splitter.next_piece(), None);
}
