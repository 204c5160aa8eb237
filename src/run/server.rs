//! The database that a command works with.

use crate::clients::postgres::PgUrl;
use crate::config::DatabaseUrl;
use crate::embedded::{self, Embedded};
use crate::error::Cause;

/// A database to work with; an embedded one runs as long as this exists.
pub struct Server {
    pub url: PgUrl,
    embedded: Option<Embedded>,
}

impl Server {
    /// Starts the embedded cluster if one is asked for.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, Cause> {
        match url {
            DatabaseUrl::Server(url) => Ok(Self { url: (**url).clone(), embedded: None }),
            DatabaseUrl::Embedded(folder) => {
                let folder = folder.clone().unwrap_or_else(embedded::default_dir);
                let embedded = Embedded::start(&folder).await?;
                Ok(Self { url: embedded.url().parse()?, embedded: Some(embedded) })
            }
        }
    }

    /// Stops the embedded cluster unless somebody else uses it.
    pub async fn close(self) {
        if let Some(embedded) = self.embedded
            && let Err(error) = embedded.stop().await
        {
            tracing::warn!("the private PostgreSQL did not stop: {error}");
        }
    }
}
