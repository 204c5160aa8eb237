//! An ordinary history, as `git fast-import` takes it: a main line with branches that are merged late, an octopus, pull requests
//! that nobody merged, tags.

use std::io::Write;

/// People, by weight: the first commits most.
const PEOPLE: [(&str, &str); 8] = [
    ("Ada Byron", "ada@example.org"),
    ("Ben Okri", "ben@example.org"),
    ("Cleo Ng", "cleo@example.org"),
    ("Dee Moss", "dee@example.net"),
    ("Ada Byron", "ada@work.example.com"),
    ("José Núñez", "jose@example.org"),
    ("renovate[bot]", "29139614+renovate[bot]@users.noreply.github.com"),
    ("Eve Li", "eve@example.org"),
];
const VERBS: [&str; 6] = ["Add", "Fix", "Remove", "Describe", "Test", "Rename"];
const THINGS: [&str; 7] =
    ["the lamp", "a lens", "the foghorn", "the stairs", "the log book", "a gull", "the tide table"];
const BEGIN: i64 = 1_262_304_000;
/// A branch goes off the main line every so many commits, and comes back as many later.
const BRANCH_EVERY: u32 = 11;

/// A history of so many commits.
pub(super) struct HistoryStory {
    commits: u32,
    seed: u64,
}

impl HistoryStory {
    pub(super) fn new(commits: u32, seed: u64) -> Self {
        Self { commits, seed }
    }

    /// The stream; empty where there are no commits.
    pub(super) fn stream(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut dice = self.seed | 1;
        let mut roll = |sides: usize| {
            // Xorshift: good enough for who wrote what.
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            (dice >> 11) as usize % sides
        };
        let (mut main, mut sides): (u32, Vec<u32>) = (0, Vec::new());
        for number in 1..=self.commits {
            let (name, email) = PEOPLE[roll(PEOPLE.len()).min(roll(PEOPLE.len()))];
            let hour = i64::from(number) * 3 + roll(3) as i64;
            let (seconds, zone) = (BEGIN + hour * 3600, ["+0000", "+0100", "-0800", "+0530"][roll(4)]);
            let is_side = number % BRANCH_EVERY == 5 && main > 0;
            // Now and then several sides wait for one merge: an octopus.
            let is_merge =
                number % BRANCH_EVERY == 0 && !sides.is_empty() && (sides.len() > 1 || roll(3) == 0);
            let branch =
                if is_side { format!("refs/heads/side-{}", number % 3) } else { "refs/heads/main".into() };
            let mut message = format!("{} {}", VERBS[roll(VERBS.len())], THINGS[roll(THINGS.len())]);
            if is_merge {
                message = format!("Merge {} branch(es)", sides.len());
            }
            message.push('\n');
            if roll(5) == 0 {
                message += "\nIt was needed.\n";
            }
            if roll(7) == 0 {
                let (name, email) = PEOPLE[roll(4)];
                message += &format!("\nCo-authored-by: {name} <{email}>\n");
            }
            // A side is written long before it is merged; its committer may be another.
            let written = if is_side { seconds - 400 * 3600 } else { seconds };
            let _ = write!(
                out,
                "commit {branch}\nmark :{number}\nauthor {name} <{email}> {written} {zone}\ncommitter {name} <{email}> \
                 {written} {zone}\ndata {}\n{message}\n",
                message.len()
            );
            if main > 0 {
                let _ = writeln!(out, "from :{main}");
            }
            if is_merge {
                for side in sides.drain(..) {
                    let _ = writeln!(out, "merge :{side}");
                }
            }
            out.push(b'\n');
            match is_side {
                true => sides.push(number),
                false => main = number,
            }
            if number % 33 == 7 {
                // A request that nobody merged is no branch.
                let _ = write!(
                    out,
                    "commit refs/pull/{number}/head\nmark :{}\ncommitter {name} <{email}> {seconds} {zone}\ndata 9\nA request\n\
                     from :{main}\n\n",
                    self.commits + number
                );
            }
        }
        if self.commits > 0 {
            let _ = write!(
                out,
                "tag v1\nfrom :{main}\ntagger Ada Byron <ada@example.org> {BEGIN} +0000\ndata 3\nv1\n\ndone\n"
            );
        }
        out
    }
}
