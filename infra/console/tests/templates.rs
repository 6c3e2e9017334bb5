//! What templates must not contain: unescaped data, inline scripts and inline styles.

#![allow(clippy::unwrap_used)]

use std::fs;

/// Each template with its name.
fn templates() -> Vec<(String, String)> {
    let files = fs::read_dir("templates").unwrap();
    let files = files.map(|file| file.unwrap().path());
    let read = files.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path.display().to_string(), text)
    });
    let read: Vec<_> = read.collect();
    assert!(read.len() > 10);
    read
}

#[test]
fn nothing_is_written_unescaped() {
    for (name, text) in templates() {
        // Askama escapes only in files with this extension.
        assert!(name.ends_with(".html"), "{name}");
        let packed: String = text.split_whitespace().collect();
        for way in ["|safe", "|escape", "escape=", "{%autoescape"] {
            assert!(!packed.contains(way), "{name} holds {way}");
        }
    }
    let own = fs::read_dir("src")
        .unwrap()
        .chain(fs::read_dir("src/pages").unwrap());
    for file in own
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
    {
        let text = fs::read_to_string(&file).unwrap();
        for way in ["escape =", "MarkupDisplay", "filters::Safe", "HtmlSafe"] {
            assert!(!text.contains(way), "{} holds {way}", file.display());
        }
    }
}

#[test]
fn nothing_is_inline() {
    for (name, text) in templates() {
        for way in [
            "style=",
            "<style",
            "<script>",
            " onclick",
            " onload",
            " hx-on",
            "javascript:",
        ] {
            assert!(!text.contains(way), "{name} holds {way}");
        }
    }
}

#[test]
fn every_form_that_changes_something_has_a_token() {
    let mut found = 0;
    for (name, text) in templates() {
        let forms = text.split("<form").skip(1);
        let posts = forms.filter(|form| form.contains(r#"method="post""#));
        for form in posts {
            let form = form.split("</form>").next().unwrap();
            assert!(
                form.contains(r#"name="token" value="{{"#),
                "{name}: a form that changes something has no token: {form}"
            );
            found += 1;
        }
    }
    assert!(found > 5, "{found}");
}

/// Nouns that pages count. A number before one of them is written by `number_of`, or the noun by
/// `noun_for`, which know the singular.
const COUNTED_NOUNS: [&str; 17] = [
    "bytes",
    "commits",
    "copies",
    "dead letters",
    "events",
    "findings",
    "histories",
    "items",
    "messages",
    "minutes",
    "orders",
    "read units",
    "records",
    "rows",
    "scans",
    "shipments",
    "updates",
];

#[test]
fn a_number_that_is_one_has_a_singular_noun() {
    for (name, text) in templates() {
        for (at, end) in text.match_indices("}}") {
            let behind = text[at + end.len()..].trim_start_matches("</b>");
            for noun in COUNTED_NOUNS {
                let counted = behind
                    .strip_prefix(' ')
                    .is_some_and(|it| it.starts_with(noun));
                assert!(
                    !counted,
                    "{name}: a number before {noun:?}, also where it is 1"
                );
            }
        }
    }
}
