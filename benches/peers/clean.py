"""The cleaning of the companies, the same for everybody who runs it: Merganser, the job's own way, Dask and Spark."""

import pandas as pd

NAMES = ["name", "street", "city"]
TEXTS = ["trade_name", "unit", "county", "contact", "title", "legal_form", "status", "remarks", "naics", "sic", "website"]
RAW = ["company_id", "zip_code", *NAMES, *TEXTS, "state", "country", "phone", "fax", "email", "employees", "founded", "revenue"]


def known(texts):
    """Nothing for what is empty or says that nobody knows."""
    return texts.where(~texts.isin(["", "n/a"]))


def clean(df):
    df = df[df["name"].notna()]
    said = df["founded"]
    founded = pd.to_datetime(said, format="%Y-%m-%d", errors="coerce")
    founded = founded.fillna(pd.to_datetime(said, format="%m/%d/%Y", errors="coerce"))
    year = said.where(said.str.fullmatch(r"\d{4}").fillna(False).astype(bool))
    founded = founded.fillna(pd.to_datetime(year, format="%Y", errors="coerce"))
    amount = df["revenue"].str.lstrip("$").str.replace(",", "", regex=False)
    revenue = pd.to_numeric(amount, errors="coerce").astype("float64")
    employees = pd.to_numeric(df["employees"].str.replace(",", "", regex=False), errors="coerce").astype("Int64")
    best = pd.DataFrame({"revenue": revenue, "company_id": df["company_id"]})
    best = best.sort_values(["revenue", "company_id"], ascending=[False, True], na_position="last")
    return pd.DataFrame(
        {
            "company_id": df["company_id"],
            "zip_code": df["zip_code"],
            "zip": known(df["zip_code"].str.strip()),
            **{name: known(df[name].str.strip().str.replace(r" +", " ", regex=True).str.upper()) for name in NAMES},
            **{text: known(df[text].str.strip()) for text in TEXTS},
            "state": df["state"].str.strip().str.upper().str.replace(".", "", regex=False),
            "country": df["country"].replace({"US": "USA", "United States": "USA", "": "USA"}),
            "phone": known(df["phone"].str.replace(r"\D+", "", regex=True)),
            "fax": known(df["fax"].str.replace(r"\D+", "", regex=True)),
            "email": known(df["email"].str.strip().str.lower()),
            "employees": employees,
            "founded": founded,
            "revenue": revenue,
            "is_largest": df["company_id"].isin(best["company_id"].iloc[:1]),
        }
    )
