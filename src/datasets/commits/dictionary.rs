//! What the tables and their columns are, for people.

use crate::dataset::derived::Described;

const RECORD: (&str, &str) =
    ("record_id", "the commit's identity: the repository's number, a colon and the SHA");
const REPOSITORY: (&str, &str) =
    ("repository_id", "the number that the host knows the repository by; below zero: no host has said one");
const SHA: (&str, &str) = ("sha", "what git knows the commit by, 40 hexadecimal digits");

pub(super) const DICTIONARY: &[Described] = &[
    Described {
        table: "git_commits",
        about: "Commits of repositories, times in UTC",
        columns: &[
            RECORD,
            REPOSITORY,
            SHA,
            ("author_name", "who wrote it, as the commit says"),
            (
                "author_email_hash",
                "HMAC-SHA-256 of the author's address, trimmed and in small letters, under the user's key",
            ),
            ("author_time", "when it was written; empty if the seconds cannot be read"),
            ("author_offset", "seconds east of UTC where it was written; empty if the source does not say"),
            ("committer_name", "who committed it"),
            ("committer_email_hash", "the same hash of the committer's address"),
            ("committer_time", "when it was committed; empty if the seconds cannot be read"),
            ("committer_offset", "seconds east of UTC where it was committed"),
            ("year", "the year of committer_time"),
            ("subject", "the first paragraph of the message in one line, without addresses"),
            ("is_merge", "it has two parents or more"),
            ("is_bot", "a program made it, by the name or the address that hosts give to theirs"),
            ("is_signed", "it has a signature; empty if the source does not say"),
            ("notes", "what of it could not be read as it should be"),
            ("unreachable_since_run", "the run that found that no head reaches it any more; empty: one does"),
        ],
    },
    Described {
        table: "git_parents",
        about: "Parents of commits, which may not be there yet",
        columns: &[
            RECORD,
            REPOSITORY,
            SHA,
            ("position", "its place among the parents of the commit, from 0"),
            ("parent_sha", "the parent's SHA"),
        ],
    },
    Described {
        table: "git_trailers",
        about: "Trailers such as Signed-off-by at the end of messages, as git's own log has them",
        columns: &[
            RECORD,
            REPOSITORY,
            SHA,
            ("position", "its place among the trailers of the commit, from 0"),
            ("token", "the text before the colon, as it is written"),
            ("value", "the text behind it, without addresses; empty if it is a person"),
            ("person_name", "the name, where the value is a person"),
            ("person_email_hash", "the hash of the person's address"),
        ],
    },
    Described {
        table: "git_repositories",
        about: "Repositories, as they were when they were last looked at",
        columns: &[
            ("record_id", "the repository's number, as a text"),
            REPOSITORY,
            ("full_name", "OWNER/NAME, as the host calls it now"),
            ("project", "whose it is, as the list of projects says"),
            ("state", "active, archived, empty, gone, blocked or refused"),
            ("state_since", "when it was first found in that state"),
            ("seen_at", "when it was last found to be otherwise than before"),
            ("default_branch", "the branch that is checked out by itself"),
            ("head_names", "names of the branches whose histories are kept"),
            ("head_shas", "their commits, in the same order"),
            ("moved_from", "what it was called before full_name; empty: no renaming is known"),
            ("moved_at", "when it was first found to be called full_name, where it had another name before"),
            (
                "is_named_by_host",
                "full_name is what the host said, and not only what the folder of a clone is called",
            ),
        ],
    },
    Described {
        table: "git_identities",
        about: "Names with hashes of addresses, and the people behind them",
        columns: &[
            ("email_hash", "the hash of an address; an empty text: the commit has none"),
            ("name", "the name beside it; an empty text: none"),
            ("person", "who it is: the hash, or the name, until a person corrects it"),
            ("is_bot", "a program, by its name"),
        ],
    },
    Described {
        table: "git_removed_people",
        about: "People who were taken out, and whom no run brings back; and a check of the key",
        columns: &[(
            "email_hash",
            "the hash of an address; or, behind the word keyed-name, that of a name that stands without one; \
             or, after keyed-person, of somebody's name in git_identities; or, after the word key, what the key is recognised by",
        )],
    },
    Described {
        table: "git_people",
        about: "People, as the identities say it",
        columns: &[
            ("person", "who it is, as git_identities says"),
            ("names", "all names that the person goes by"),
            ("is_bot", "one of the identities is a program's"),
            ("identities", "how many identities the person has"),
        ],
    },
    Described {
        table: "git_co_authors",
        about: "People who wrote commits together with their authors, by trailers",
        columns: &[
            REPOSITORY,
            SHA,
            ("name", "the name that the trailer says"),
            ("person", "who it is, as git_identities says"),
        ],
    },
];
