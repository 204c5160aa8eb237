//! Sheets, histories and a site.toml, which the real program builds.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use merganser::sql;

use crate::support::pipeline::{Pipeline, Ran};

pub const MARKER: &str = ".merganser-site.json";

const SITE: &str = "title = \"Birds & <colours>\"\nbase_url = \"https://birds.example/all/\"\nas_of = \"2025-10\"\n\
    [catalog]\nsource = \"dir:source\"\n[site]\nout = \"public\"\n";

pub struct World {
    pub pipeline: Pipeline,
}

impl World {
    /// A catalog of this many projects with histories; nothing is built yet.
    pub async fn new(hint: &str, projects: u32) -> Self {
        Self::on(Pipeline::new(hint).await, projects).await
    }

    /// The same on an existing pipeline.
    pub async fn on(pipeline: Pipeline, projects: u32) -> Self {
        let world = Self { pipeline };
        let out = world.pipeline.source().display().to_string();
        let projects = projects.to_string();
        world.pipeline.other(&["sample", "catalog", "--projects", &projects, "--out", &out]).await.exits(0);
        world.pipeline.other(&["run", "catalog"]).await.exits(0);
        world.pipeline.execute(&sql::render(sql::DEMO_HISTORIES, &[("schema", "public")])).await;
        world.site(SITE);
        world
    }

    /// Writes site.toml.
    pub fn site(&self, text: &str) {
        fs::write(self.pipeline.folder().join("site.toml"), text).unwrap();
    }

    /// Writes site.toml with one text replaced.
    pub fn site_with(&self, from: &str, to: &str) {
        assert!(SITE.contains(from), "{from}");
        self.site(&SITE.replace(from, to));
    }

    /// The path of site.toml.
    pub fn file(&self) -> String {
        self.pipeline.folder().join("site.toml").display().to_string()
    }

    pub async fn build(&self, extra: &[&str]) -> Ran {
        self.pipeline.other(&[&["build", &self.file()], extra].concat()).await
    }

    /// The same with environment variables.
    pub async fn build_in(&self, envs: &[(&str, &str)]) -> Ran {
        self.pipeline.start_other(&["build", &self.file()], envs).await.unwrap()
    }

    pub fn out(&self) -> PathBuf {
        self.pipeline.folder().join("public")
    }

    /// Every file of the site with its bytes, the note among them.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        read(&self.out())
    }

    /// A page of the site.
    pub fn page(&self, path: &str) -> String {
        let read = fs::read_to_string(self.out().join(path));
        read.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The inode of every file.
    pub fn inodes(&self) -> BTreeMap<String, u64> {
        let inode = |path: &String| fs::metadata(self.out().join(path)).unwrap().ino();
        self.files().into_keys().map(|path| (path.clone(), inode(&path))).collect()
    }
}

/// Every file of a folder with its bytes.
pub fn read(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).unwrap().display().to_string();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}
