//! Nothing is missing from the maps: of the documents in docs/README.md, and of the code in docs/architecture.md.

use std::fs;

use super::documents::{documents, read, root};

#[test]
fn the_map_of_the_documents_has_each_of_them() {
    let map = read("docs/README.md");
    for document in documents() {
        let document = document.to_str().expect("a name is text");
        // Those of the root are named from the folder of the map.
        let name = document.strip_prefix("docs/").map_or(format!("../{document}"), str::to_owned);
        assert!(
            name == "README.md" || map.contains(&format!("({name})")),
            "docs/README.md does not have {document}"
        );
    }
}

#[test]
fn the_map_of_the_code_has_each_room() {
    let document = read("docs/architecture.md");
    let (_, rooms) = document.split_once("## The rooms").expect("it lists the rooms");
    let (rooms, _) = rooms.split_once("\n## ").expect("something follows");
    let mut looked_at = 0;
    for folder in ["src", "sql", ""] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder can be read") {
            let entry = entry.expect("a folder can be read");
            let is_folder = entry.file_type().expect("a folder can be read").is_dir();
            let name = entry.file_name().into_string().expect("a name is text");
            // Of the root, what is neither hidden, built nor a document.
            let belongs = if folder.is_empty() { is_folder && !name.starts_with('.') } else { true };
            if !belongs
                || ["src", "sql", "docs", "target", "dist", "tests", "merganser-demo"]
                    .contains(&name.as_str())
            {
                continue;
            }
            let room = [folder, &name].join("/").trim_start_matches('/').to_owned()
                + if is_folder { "/" } else { "" };
            assert!(rooms.contains(&room), "docs/architecture.md does not have {room}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 40, "only {looked_at} rooms");
}
