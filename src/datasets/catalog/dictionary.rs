//! Descriptions of the tables and their columns for people: comments in the database, and the published dictionary.

use crate::dataset::derived::Described;

const IDENTITY: (&str, &str) = ("record_id", "the row's identity: its sheet, a colon and its key");
const PROJECT: (&str, &str) = ("project", "the project, by its key");

pub(super) const DICTIONARY: &[Described] = &[
    Described {
        table: "catalog_rows",
        about: "Every row of the hand-kept sheets that was loaded, by its identity",
        columns: &[
            IDENTITY,
            ("sheet", "the sheet that it is of"),
            ("content", "its cells as they are there, as a JSON array"),
        ],
    },
    Described {
        table: "catalog_categories",
        about: "Categories of projects, some within others",
        columns: &[
            IDENTITY,
            ("category", "the category, by its key"),
            ("name", "what people call it"),
            ("parent", "the category that it is within; empty: none"),
            ("description", "what belongs there"),
        ],
    },
    Described {
        table: "catalog_communities",
        about: "Communities that projects belong to",
        columns: &[
            IDENTITY,
            ("community", "the community, by its key"),
            ("name", "what people call it"),
            ("url", "its page"),
            ("description", "who they are"),
        ],
    },
    Described {
        table: "catalog_backers",
        about: "Companies, foundations and others that pay for projects",
        columns: &[
            IDENTITY,
            ("backer", "the backer, by its key"),
            ("name", "what people call it"),
            ("kind", "what it is, in a word such as company or foundation"),
            ("url", "its page"),
        ],
    },
    Described {
        table: "catalog_projects",
        about: "Projects",
        columns: &[
            IDENTITY,
            PROJECT,
            ("name", "what people call it"),
            ("repository", "where its code is: OWNER/NAME or an address"),
            ("community", "the community that it belongs to, by its key"),
            ("license", "its license, as SPDX writes it"),
            ("started", "the day on which it began"),
            ("description", "what it is"),
        ],
    },
    Described {
        table: "catalog_project_categories",
        about: "Which project is in which categories",
        columns: &[IDENTITY, PROJECT, ("category", "the category, by its key")],
    },
    Described {
        table: "catalog_project_backers",
        about: "Which project has which backers",
        columns: &[
            IDENTITY,
            PROJECT,
            ("backer", "the backer, by its key"),
            ("since", "the day since which it is one"),
        ],
    },
    Described {
        table: "catalog_project_dependencies",
        about: "Which project needs which others",
        columns: &[IDENTITY, PROJECT, ("depends_on", "the project that it needs, by its key")],
    },
    Described {
        table: "catalog_links",
        about: "Addresses of what belongs to a project",
        columns: &[
            IDENTITY,
            PROJECT,
            ("kind", "what is there, in a word such as docs or forum"),
            ("url", "the address"),
        ],
    },
];
