-- Purpose: stand in for Amazon's extensions aws_commons and aws_s3: functions of the same names, parameters and
--          results, which read and write the S3 server of the tests with a role's keys.
-- Engine:  PostgreSQL with PL/Python, on the machine of the S3 server; the caller may read and write files of it
-- Inputs:  aws_stand_in.role, one row, once it is filled.
-- Outputs: the functions.
create extension plpython3u;
create schema aws_stand_in;
create schema aws_commons;
create schema aws_s3;

-- What the database's IAM role and the endpoint of its region are at Amazon.
create table aws_stand_in.role (
    host text not null,
    port int not null,
    access_key text not null,
    secret_key text not null,
    -- An export larger than this is split, as Amazon's is past some 6 GB.
    part_bytes bigint not null default 6000000000
);

create type aws_commons._s3_uri_1 as (bucket text, file_path text, region text);

create function aws_commons.create_s3_uri(s3_bucket text, s3_key text, aws_region text)
returns aws_commons._s3_uri_1 language sql immutable as $$
    select row(s3_bucket, s3_key, aws_region)::aws_commons._s3_uri_1
$$;

-- One request, signed (Signature Version 4): the answer's body. Any other status than 200 is an error.
create function aws_stand_in.request(method text, at aws_commons._s3_uri_1, content bytea)
returns bytea language plpython3u as $$
    import datetime
    import hashlib
    import hmac
    import http.client
    import urllib.parse

    role = plpy.execute("select * from aws_stand_in.role")[0]
    path = "/" + urllib.parse.quote(at["bucket"]) + "/" + urllib.parse.quote(at["file_path"], safe="/~")
    sent = content or b""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(sent).hexdigest()
    headers = {
        "host": f"{role['host']}:{role['port']}",
        "x-amz-content-sha256": digest,
        "x-amz-date": stamp,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join([method, path, "", lines, names, digest])
    scope = f"{day}/{at['region']}/s3/aws4_request"
    signed = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + role["secret_key"]).encode()
    for part in [day, at["region"], "s3", "aws4_request"]:
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, signed.encode(), "sha256").hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={role['access_key']}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    server = http.client.HTTPConnection(role["host"], role["port"], timeout=30)
    server.request(method, path, body=sent, headers=headers)
    answer = server.getresponse()
    body = answer.read()
    server.close()
    if answer.status != 200:
        plpy.error(f"HTTP {answer.status}. {answer.reason}. Check your arguments and try again.")
    return body
$$;

create function aws_s3.table_import_from_s3(
    table_name text, column_list text, options text, s3_info aws_commons._s3_uri_1
)
returns text language plpython3u as $$
    import os
    import tempfile

    get = plpy.prepare("select aws_stand_in.request('GET', $1, null) as body", ["aws_commons._s3_uri_1"])
    body = get.execute([s3_info])[0]["body"]
    columns = f"({column_list})" if column_list else ""
    with tempfile.NamedTemporaryFile() as file:
        os.chmod(file.name, 0o600)
        file.write(body)
        file.flush()
        rows = plpy.execute(f"copy {table_name} {columns} from {plpy.quote_literal(file.name)} with {options}")
    return (
        f"{rows.nrows()} rows imported into relation \"{table_name}\" "
        f"from file {s3_info['file_path']} of {len(body)} bytes"
    )
$$;

create function aws_s3.query_export_to_s3(
    query text,
    s3_info aws_commons._s3_uri_1,
    options text default null,
    kms_key text default null,
    out rows_uploaded bigint,
    out files_uploaded bigint,
    out bytes_uploaded bigint
)
language plpython3u as $$
    import tempfile

    if kms_key is not None:
        plpy.log(f"exported with the key {kms_key}")
    put = plpy.prepare("select aws_stand_in.request('PUT', $1, $2)", ["aws_commons._s3_uri_1", "bytea"])
    part_bytes = plpy.execute("select part_bytes from aws_stand_in.role")[0]["part_bytes"]
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/export"
        with_options = f"with ({options})" if options else ""
        rows = plpy.execute(f"copy ({query}) to {plpy.quote_literal(path)} {with_options}").nrows()
        with open(path, "rb") as file:
            content = file.read()
    parts = [content[at : at + part_bytes] for at in range(0, len(content), part_bytes)] or [b""]
    for number, part in enumerate(parts, start=1):
        suffix = "" if number == 1 else f"_part{number}"
        to = {"bucket": s3_info["bucket"], "file_path": s3_info["file_path"] + suffix, "region": s3_info["region"]}
        put.execute([to, part])
    return {"rows_uploaded": rows, "files_uploaded": len(parts), "bytes_uploaded": len(content)}
$$;
