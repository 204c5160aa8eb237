"""Computes metrics with pandas and PageRank with networkx over the same rows, and compares them with what is in the tables.

Usage: compare.py FOLDER YYYY-MM; the folder has a CSV of each table.
"""

import sys

import networkx as nx
import pandas as pd

folder, as_of = sys.argv[1], pd.Period(sys.argv[2], "M")


def table(name):
    return pd.read_csv(f"{folder}/{name}.csv", keep_default_na=False, na_values=[""])


commits, parents, identities = table("commits"), table("parents"), table("identities")
repositories, projects, categories = table("repositories"), table("projects"), table("categories")
ours, nodes, edges = table("metrics"), table("nodes"), table("edges")

# What the default branch reaches, where there are others.
for repository in repositories[repositories.heads > 1].itertuples():
    next_of = parents[parents.repository_id == repository.repository_id].set_index("sha").parent_sha
    at, reached = repository.head, set()
    while at is not None and at not in reached:
        reached.add(at)
        at = next_of.get(at)
    own = commits.repository_id == repository.repository_id
    commits = commits[~own | commits.sha.isin(reached)]

commits = commits.merge(
    identities, left_on=["author_email_hash", "author_name"], right_on=["email_hash", "name"], suffixes=("", "_identity")
)
is_bot = (commits.is_bot == "t") | (commits.is_bot_identity == "t")
commits = commits[~is_bot & commits.unreachable_since_run.isna()].copy()
commits["month"] = pd.to_datetime(commits.author_time).dt.to_period("M")
commits["has_parents"] = commits.is_merge == "t"
commits = commits[commits.month <= as_of]

repository_of = repositories.set_index("full_name").repository_id
projects["repository_id"] = projects.repository.str.lower().map(repository_of)
parent_of = categories.set_index("category").parent.dropna()
groups = [("project", row.project, row.repository_id) for row in projects.itertuples()]
groups += [("community", row.community, row.repository_id) for row in projects.itertuples() if isinstance(row.community, str)]
of_project = projects.set_index("project").repository_id
for row in table("project_categories").itertuples():
    category = row.category
    while category is not None:
        groups.append(("category", category, of_project[row.project]))
        category = parent_of.get(category)

by_group = {}
for kind, key, repository in set(groups):
    by_group.setdefault((kind, key), set()).add(repository)

theirs = {}
for (kind, key), members in by_group.items():
    own = commits[commits.repository_id.isin(members)].drop_duplicates("sha")
    if own.empty:
        continue
    first_of = own.groupby("person").month.min()
    for month in pd.period_range(own.month.min(), as_of, freq="M"):
        now = own[own.month == month]
        year = own[(own.month > month - 12) & (own.month <= month)]
        before = own[(own.month > month - 24) & (own.month <= month - 12)]
        counts = year.groupby("person").sha.count().sort_values(ascending=False)
        factor = int((counts.cumsum() * 2 < counts.sum()).sum()) + (1 if len(counts) else 0)
        before_people, year_people = set(before.person), set(year.person)
        values = {
            "commits": len(now),
            "authors": now.person.nunique(),
            "newcomers": int((first_of == month).sum()),
            "bus_factor": factor,
            "merge_share": now.has_parents.mean() if len(now) else None,
            "retention": len(before_people & year_people) / len(before_people) if before_people else None,
            "growth": len(year) / len(before) - 1 if len(before) else None,
        }
        for metric, value in values.items():
            theirs[kind, key, metric, str(month)] = value

found = {(row.kind, row.key, row.metric, row.month[:7]): None if pd.isna(row.value) else row.value for row in ours.itertuples()}
assert found.keys() == theirs.keys(), (len(found), len(theirs), list(found.keys() ^ theirs.keys())[:5])
for at, value in theirs.items():
    same = found[at] is None if value is None else found[at] is not None and abs(found[at] - value) < 1e-9
    assert same, (at, found[at], value)

graph = nx.DiGraph()
graph.add_nodes_from(nodes.record_id)
for row in edges.itertuples():
    ends = f"{row.from_kind}:{row.from_key}", f"{row.to_kind}:{row.to_key}"
    weight = graph.get_edge_data(*ends, {"weight": 0})["weight"]
    graph.add_edge(*ends, weight=weight + row.weight)
ranks = nx.pagerank(graph, alpha=0.85, tol=1e-12, max_iter=1000)
worst = max(abs(row.pagerank - ranks[row.record_id]) for row in nodes.itertuples())
assert worst < 1e-8, worst

people = commits.merge(projects, on="repository_id").groupby("project").person.agg(set)
common = edges[edges.kind == "common_developers"]
expected = {
    (one, other): len(people[one] & people[other]) / len(people[one] | people[other])
    for one in people.index
    for other in people.index
    if one != other and len(people[one] & people[other]) >= 2
}
assert expected and {(row.from_key, row.to_key) for row in common.itertuples()} == expected.keys(), len(common)
assert all(abs(expected[row.from_key, row.to_key] - row.weight) < 1e-12 for row in common.itertuples())
print(f"{len(theirs)} values, {len(nodes)} nodes, {len(edges)} edges, {len(expected)} pairs: all the same; ranks within {worst:.1e}")
