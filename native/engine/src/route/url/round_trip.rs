//! What is read can be written again, and what is made can be read: over generated hosts.

use super::*;
use crate::route::RouteFields;
use crate::route::pattern::Part;
use crate::route::shape::Shape;

const PORTS: [u16; 7] = [1, 9, 80, 443, 3000, 10000, 65535];

/// The same numbers in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Few characters, so that hyphens and digits meet in every order.
    fn text(&mut self, longest: usize) -> String {
        let length = 1 + self.below(longest);
        (0..length).map(|_| self.pick(&['a', 'f', '0', '1', '8', '-'])).collect()
    }
}

fn own_domains() -> Vec<(Provider, String)> {
    Provider::ALL.map(|provider| (provider, format!("{}.test", provider.name()))).to_vec()
}

fn url_of(read: &PreviewUrl) -> String {
    let fields = RouteFields { upstream: Some(read.upstream.clone()), ..RouteFields::default() };
    Route::parse(&fields).unwrap().url(read.port).unwrap()
}

/// Whether the URL was read; then it can be written again, and every other port's URL is read alike.
fn comes_back(url: &str) -> bool {
    let Ok(read) = PreviewUrl::parse(url, &own_domains()) else { return false };
    assert_eq!(url_of(&read), url);
    for port in [1, 65535] {
        let other = PreviewUrl { port, ..read.clone() };
        assert_eq!(PreviewUrl::parse(&url_of(&other), &own_domains()), Ok(other), "{url}");
    }
    true
}

fn piece(part: Part, random: &mut Random) -> String {
    match part {
        Part::Text(text) => text.to_owned(),
        Part::Port if random.below(9) == 0 => random.text(6),
        Part::Port => random.pick(&PORTS).to_string(),
        Part::Field(_, Shape::Workspace) if random.below(2) == 0 => "a0-1f-8a8a8a8a".to_owned(),
        Part::Field(..) => random.text(8),
    }
}

#[test]
fn every_url_comes_back_or_is_refused() {
    let mut random = Random(0x5eed);
    let mut read = [0; Provider::ALL.len()];
    for _ in 0..4_000 {
        let at = random.below(Provider::ALL.len());
        let provider = Provider::ALL[at];
        let name: String = provider
            .grammar()
            .parts()
            .iter()
            .fold(String::new(), |name, part| name + &piece(*part, &mut random));
        let origin_port = random.pick(&["", "", ":8443", ":1"]);
        let url = format!("https://{name}.{}.test{origin_port}", provider.name());
        read[at] += usize::from(comes_back(&url));
    }
    assert!(read.iter().all(|&read| read > 20), "too few were read: {read:?}");
}

#[test]
fn any_text_comes_back_or_is_refused() {
    let mut random = Random(0xface);
    let mut read = 0;
    for _ in 0..4_000 {
        let provider = random.pick(&Provider::ALL);
        let url = format!("http://{}.{}.test", random.text(12), provider.name());
        read += usize::from(comes_back(&url));
    }
    assert!(read > 20, "too few were read: {read}");
}

/// One side of cmux takes the id to end at the first hyphen, the other to end at the last.
#[test]
fn what_is_read_of_cmux_both_its_sides_read_alike() {
    let mut random = Random(0xcafe);
    let mut read = 0;
    for _ in 0..4_000 {
        let inner = format!("{}-{}", random.text(4), random.text(4));
        let url = format!("https://cmux-{inner}-3000.cmux.app");
        if comes_back(&url) {
            assert_eq!(inner.split_once('-'), inner.rsplit_once('-'), "{url}");
            read += 1;
        }
    }
    assert!(read > 20, "too few were read: {read}");
}

#[test]
fn every_preset_is_read_as_what_it_was_made_of() {
    let mut random = Random(0xbeef);
    let mut made = [0; Provider::ALL.len()];
    for _ in 0..1_000 {
        let at = random.below(Provider::ALL.len());
        let provider = Provider::ALL[at];
        let values: Vec<_> = (0..4).map(|_| random.text(8)).collect();
        let given = |name: &str| {
            let place = ["agent", "scope", "user", "cluster"].iter().position(|it| *it == name);
            Some(match name {
                "domain" => format!("{}.test", provider.name()),
                "workspace" if provider == Provider::Gitpod => "a0-b0-8a8a8a8a".to_owned(),
                _ => values[place.unwrap_or(0)].clone(),
            })
        };
        let Ok(upstream) = provider.preset(given) else { continue };
        made[at] += 1;
        for port in PORTS {
            let preset = PreviewUrl { provider, port, upstream: upstream.clone() };
            let url = url_of(&preset);
            assert_eq!(PreviewUrl::parse(&url, &own_domains()), Ok(preset), "{url}");
        }
    }
    assert!(made.iter().all(|&made| made > 20), "too few were made: {made:?}");
}
