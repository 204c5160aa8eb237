"""The cleaning of the companies, the same for everybody who runs it: Merganser, the job's own way, Dask and Spark."""

import pandas as pd


def clean(df):
    df = df[df["name"].notna()]
    said = df["founded"]
    founded = pd.to_datetime(said, format="%Y-%m-%d", errors="coerce")
    founded = founded.fillna(pd.to_datetime(said, format="%m/%d/%Y", errors="coerce"))
    year = said.where(said.str.fullmatch(r"\d{4}").fillna(False).astype(bool))
    founded = founded.fillna(pd.to_datetime(year, format="%Y", errors="coerce"))
    amount = df["revenue"].str.lstrip("$").str.replace(",", "", regex=False)
    revenue = pd.to_numeric(amount, errors="coerce").astype("float64")
    zips = df["zip_code"].str.strip()
    best = pd.DataFrame({"revenue": revenue, "company_id": df["company_id"]})
    best = best.sort_values(["revenue", "company_id"], ascending=[False, True], na_position="last")
    return pd.DataFrame(
        {
            "company_id": df["company_id"],
            "zip_code": df["zip_code"],
            "zip": zips.where(zips != ""),
            "name": df["name"].str.strip().str.replace(r"\s+", " ", regex=True).str.upper(),
            "founded": founded,
            "revenue": revenue,
            "is_largest": df["company_id"].isin(best["company_id"].iloc[:1]),
        }
    )
