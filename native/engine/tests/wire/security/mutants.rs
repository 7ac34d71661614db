//! Requests with one thing wrong in them, made by putting what does not belong there everywhere.
//!
//! A template marks places with `^`. Each mutant has one insertion at one of them; of a place marked `~`
//! the line end that follows is replaced by it too.

/// What is put in: line ends, white space, what is not text, and what other grammars know.
const INSERTIONS: [&str; 29] = [
    " ", "\t", "\r", "\n", "\r\n", "\r\r\n", "\n\r", "\r\n ", "\n\t", "\r ", "\0", "\u{1}",
    "\u{b}", "\u{c}", "\u{7f}", "\u{80}", "\u{85}", "\u{a0}", "\u{ff}", ",", ";", ":", "\"", "'",
    "+", "-", "_", "x", "\\",
];

const CHUNKED: &str = "5\r\nhello\r\n0\r\n\r\n";

/// One request, and what was done to it.
pub(super) struct Mutant {
    pub(super) what: String,
    /// With `@URL` where the target's authority goes and `@OWN` where credentials go.
    pub(super) text: String,
}

/// All of them; the bodies that go with a template are fifteen bytes long, so that either way to read
/// them ends at the same place.
pub(super) fn all() -> Vec<Mutant> {
    let start = "POST @URL/first HTTP/1.1\r\nHost: localhost:3000\r\n@OWN";
    let length = "^Content^-Length^:^ 1^5^~\r\n";
    let coding = "^Transfer^-Encoding^:^ chun^ked^~\r\n";
    let (plain_length, plain_coding) = (plain(length), plain(coding));
    let templates = [
        ("a length", format!("{start}{length}\r\n{CHUNKED}")),
        ("a coding", format!("{start}{coding}\r\n{CHUNKED}")),
        ("a coding beside a length", format!("{start}{plain_length}{coding}\r\n{CHUNKED}")),
        ("a length beside a coding", format!("{start}{plain_coding}{length}\r\n{CHUNKED}")),
        ("a length before a coding", format!("{start}{length}{plain_coding}\r\n{CHUNKED}")),
        ("a hidden coding", format!("{start}X: y^{plain_coding}\r\n{CHUNKED}")),
        ("a hidden length", format!("{start}X: y^{plain_length}\r\n{CHUNKED}")),
        ("the end of a head", format!("{start}{plain_length}~\r\n^{CHUNKED}")),
        (
            "a request line",
            format!(
                "^PO^ST^ ^@URL/fi^rst^ ^HTTP^/1^.^1^~\r\nHost: localhost:3000\r\n@OWN{plain_length}\r\n{CHUNKED}"
            ),
        ),
        (
            "a Host",
            format!(
                "POST @URL/first HTTP/1.1\r\n^Ho^st^:^ local^host^:30^00^~\r\n@OWN{plain_length}\r\n{CHUNKED}"
            ),
        ),
        ("a chunk", format!("{start}{plain_coding}\r\n^5^~\r\n^he^llo^~\r\n^0^~\r\n^~\r\n")),
        (
            "an extension or a trailer",
            format!(
                "{start}{plain_coding}\r\n5^;^a^=^b^~\r\nhello\r\n0^;^a~\r\n^A^:^ b^~\r\n~\r\n"
            ),
        ),
    ];
    templates.iter().flat_map(|(what, template)| of(what, template)).collect()
}

/// The template without its marks.
fn plain(template: &str) -> String {
    template.replace(['^', '~'], "")
}

fn of<'a>(what: &'a str, template: &'a str) -> impl Iterator<Item = Mutant> + 'a {
    let places = template.match_indices(['^', '~']);
    places.flat_map(move |(at, mark)| {
        let (before, after) = (&template[..at], &template[at + 1..]);
        let replaces = mark == "~";
        let after = if replaces { after.strip_prefix("\r\n").unwrap() } else { after };
        let nothing = replaces.then_some(&"");
        INSERTIONS.iter().chain(nothing).map(move |insertion| Mutant {
            what: format!("{what}: {insertion:?} after {:?}", tail(before)),
            text: format!("{}{insertion}{}", plain(before), plain(after)),
        })
    })
}

fn tail(text: &str) -> String {
    let text = plain(text);
    text[text.len().saturating_sub(12)..].to_owned()
}

#[test]
fn there_are_many_and_all_differ() {
    let all = all();
    let texts: std::collections::HashSet<_> = all.iter().map(|it| &it.text).collect();
    assert!(all.len() >= 1_768, "{} mutants", all.len());
    assert!(texts.len() > 1_500, "{} of {} differ", texts.len(), all.len());
}
