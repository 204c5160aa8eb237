//! The real servers that a run talks to: logging in, refusals, and how they break.

mod aws_s3;
mod embedded;
mod geocoders;
mod outages;
mod pooler;
mod progress;
mod refusals;
mod s3;
mod sftp;
mod smoke;
pub mod store_fire;
mod tls;
