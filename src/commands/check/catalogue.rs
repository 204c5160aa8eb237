//! Findings in the database's catalogue: a line for each topic, with what to do about it.

use super::{Finding, Probes};
use crate::catalogue::{self, Remark, ServerState, Topic, Weight};
use crate::clients::postgres::{self, Connection};
use crate::config::RunConfig;
use crate::error::Cause;
use crate::schema;

/// The topics about tables, in the order of their lines, each with the text for no findings.
const OF_TABLES: [(Topic, &str); 5] = [
    (Topic::Policies, "no row is hidden from us"),
    (Topic::Triggers, "no trigger and no rule of others changes what we write"),
    (Topic::Partitions, "every table is in one part"),
    (Topic::Publications, "subscribers can follow every change"),
    (Topic::ForeignKeys, "no other table refers to ours"),
];

/// Settings under which a run cannot finish. A read-only server is reported with the login.
pub(super) fn server(probes: &mut Probes, server: &ServerState) {
    let read_only = server.read_only();
    let remarks = server.remarks().into_iter().filter(|remark| Some(remark) != read_only.as_ref());
    let well = format!("{}, and no commit waits for an absent standby", server.encoding_name());
    probes.note(Topic::Server.name(), finding(&remarks.collect::<Vec<_>>(), &well));
}

/// What others have done with the tables.
pub(super) async fn tables(probes: &mut Probes, config: &RunConfig, connection: &Connection, target: &str) {
    let looked = async {
        let remarks =
            catalogue::tables(&**connection, &config.target.database, config.target.dataset).await?;
        Ok::<_, Cause>(remarks)
    };
    let (first, rest) = OF_TABLES.split_first().expect("there are some");
    let of = |remarks: &[Remark], (topic, well): &(Topic, &str)| {
        finding(&remarks.iter().filter(|remark| remark.topic == *topic).cloned().collect::<Vec<_>>(), well)
    };
    let found = probes.run(first.0.name(), target, async {
        let remarks = looked.await?;
        let finding = of(&remarks, first);
        Ok((remarks, finding))
    });
    match found.await {
        Some(remarks) => {
            for line in rest {
                probes.note(line.0.name(), of(&remarks, line));
            }
        }
        None => {
            let names: Vec<_> = rest.iter().map(|(topic, _)| topic.name()).collect();
            probes.skip(&names, "the catalogue could not be read");
        }
    }
}

/// Rules that others have put on the rows.
pub(super) async fn rules(config: &RunConfig, connection: &mut Connection) -> Result<((), Finding), Cause> {
    let failed = |e| postgres::classify(e, "look for rules of others");
    let mut transaction = connection.build_transaction().read_only(false).start().await.map_err(failed)?;
    let rules =
        schema::rules(&mut transaction, config.target.dataset, &config.target.database.schema).await?;
    transaction.rollback().await.map_err(failed)?;
    if rules.is_empty() {
        return Ok(((), Finding::ok("no constraint of others is on the tables")));
    }
    let found: Vec<_> = rules.iter().map(|rule| format!("{} has a {}", rule.table, rule.what)).collect();
    let statements: Vec<_> = rules.iter().map(|rule| rule.statement.as_str()).collect();
    let hint = format!(
        "a record that breaks such a rule fails, and merganser failures shows it; what is not meant goes with:\n{}",
        statements.join("\n")
    );
    Ok(((), Finding::warn(found.join("; "), hint)))
}

/// The remarks on one topic as one line; `well`: the text if there are none.
fn finding(remarks: &[Remark], well: &str) -> Finding {
    if remarks.is_empty() {
        return Finding::ok(well);
    }
    let found = remarks.iter().map(|remark| remark.found.as_str()).collect::<Vec<_>>().join("; ");
    let hints: Vec<_> = remarks.iter().map(|remark| remark.hint.as_str()).collect();
    let hint = catalogue::unique(&hints).join("\n");
    let is = |weights: &[Weight]| remarks.iter().any(|remark| weights.contains(&remark.weight));
    if is(&[Weight::Refusal, Weight::Standstill]) {
        Finding::fail(found, hint)
    } else if is(&[Weight::Warning]) {
        Finding::warn(found, hint)
    } else {
        Finding::ok(found)
    }
}
