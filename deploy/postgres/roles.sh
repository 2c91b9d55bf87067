#!/bin/sh
# Run once by the postgres image, on an empty data folder: a role for each service, which makes its own schema.
set -eu
for service in planner reporting; do
  name=$(printf '%s' "$service" | tr '[:lower:]' '[:upper:]')
  password=$(printenv "POSTGRES_PASSWORD_$name")
  psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
    --set=role="$service" --set=password="$password" --set=database="$POSTGRES_DB" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
GRANT CONNECT, CREATE ON DATABASE :"database" TO :"role";
SQL
done
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
  --set=database="$POSTGRES_DB" <<'SQL'
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SQL
