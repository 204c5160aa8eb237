//! Options of the sheets.

use clap::builder::BoolishValueParser;
use serde_json::Value;

use crate::dataset::Options;
use crate::dataset::links::{Links, LinksPlan};

/// Options of the dataset `catalog`.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Options of catalog")]
pub struct CatalogOptions {
    /// catalog: look whether anybody is at the addresses of the sheets; a row fails where nobody is
    #[arg(long, env = "MERGANSER_CHECK_LINKS", value_parser = BoolishValueParser::new())]
    pub check_links: bool,
    /// catalog: seconds that --check-links may take; what is left then is looked at by a later run
    #[arg(long, env = "MERGANSER_LINK_SECONDS", value_name = "SECONDS", default_value_t = 600,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub link_seconds: u64,
    /// catalog: hosts of your own network that addresses in the sheets may name, and --check-links may ask
    #[arg(long, env = "MERGANSER_LINK_HOSTS", value_name = "HOST", value_delimiter = ',')]
    pub link_hosts: Vec<String>,
}

const CHECK_LINKS: &str = "check_links";
const LINK_SECONDS: &str = "link_seconds";
const LINK_HOSTS: &str = "link_hosts";

impl CatalogOptions {
    /// The options as the ledger keeps them.
    ///
    /// # Errors
    /// An error message for the user.
    pub fn read(&self) -> Result<Options, String> {
        let hosts: Vec<_> = self.link_hosts.iter().map(|host| host.trim().to_lowercase()).collect();
        if let Some(odd) = hosts.iter().find(|host| host.is_empty() || host.contains(['/', '*', '@', ' '])) {
            return Err(format!("--link-hosts {odd}: not the name of a host, nor its address"));
        }
        let mut options = Options::new();
        if self.check_links {
            options.insert(CHECK_LINKS.to_owned(), true.into());
            options.insert(LINK_SECONDS.to_owned(), self.link_seconds.into());
        }
        if !hosts.is_empty() {
            options.insert(LINK_HOSTS.to_owned(), hosts.into());
        }
        Ok(options)
    }
}

/// The addresses of the sheets.
pub(super) const LINKS: Links = Links { view: "catalog_addresses", dead: "catalog_dead", plan };

fn plan(options: &Options) -> Option<LinksPlan> {
    options.get(CHECK_LINKS).and_then(Value::as_bool).filter(|asks| *asks)?;
    Some(LinksPlan {
        seconds: options.get(LINK_SECONDS).and_then(Value::as_u64).unwrap_or_default(),
        own_hosts: own_hosts(options).into_iter().map(str::to_owned).collect(),
    })
}

/// Hosts that addresses may name though nobody else can reach them.
pub(super) fn own_hosts(options: &Options) -> Vec<&str> {
    let hosts = options.get(LINK_HOSTS).and_then(Value::as_array).into_iter().flatten();
    hosts.filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_asked_unless_somebody_says_so() {
        let mut typed = CatalogOptions { check_links: false, link_seconds: 9, link_hosts: Vec::new() };
        assert_eq!(plan(&typed.read().unwrap()), None);
        typed.check_links = true;
        typed.link_hosts = vec![" Intranet.example ".into(), "10.0.0.7".into()];
        let own_hosts = vec!["intranet.example".to_owned(), "10.0.0.7".to_owned()];
        assert_eq!(plan(&typed.read().unwrap()), Some(LinksPlan { seconds: 9, own_hosts }));
        for odd in ["", "https://a.example", "*.example"] {
            typed.link_hosts = vec![odd.into()];
            assert!(typed.read().unwrap_err().contains("not the name of a host"), "{odd}");
        }
    }
}
