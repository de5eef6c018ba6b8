-- +goose Up
-- The embedded identity service. Objects that are deleted are gone: nothing has to be undone for them elsewhere. token_epoch
-- is bumped to void the tokens given so far; revision is what writers compare and set.
CREATE TABLE IF NOT EXISTS domains (
    id          VARCHAR(64)  NOT NULL PRIMARY KEY,
    name        VARCHAR(255) NOT NULL,
    description {{.Text}}    NOT NULL,
    enabled     BOOLEAN      NOT NULL,
    options     {{.Text}}    NOT NULL,
    extra       {{.Text}}    NOT NULL,
    token_epoch BIGINT       NOT NULL,
    revision    BIGINT       NOT NULL,
    created_at  BIGINT       NOT NULL,
    CONSTRAINT domains_name UNIQUE (name)
) {{.Table}};

CREATE TABLE IF NOT EXISTS projects (
    id          VARCHAR(64)  NOT NULL PRIMARY KEY,
    domain_id   VARCHAR(64)  NOT NULL,
    parent_id   VARCHAR(64)  NOT NULL,
    name        VARCHAR(255) NOT NULL,
    description {{.Text}}    NOT NULL,
    enabled     BOOLEAN      NOT NULL,
    tags        {{.Text}}    NOT NULL,
    options     {{.Text}}    NOT NULL,
    extra       {{.Text}}    NOT NULL,
    token_epoch BIGINT       NOT NULL,
    revision    BIGINT       NOT NULL,
    created_at  BIGINT       NOT NULL,
    CONSTRAINT projects_name UNIQUE (domain_id, name)
) {{.Table}};
CREATE INDEX IF NOT EXISTS projects_parent ON projects (parent_id);

CREATE TABLE IF NOT EXISTS users (
    id                 VARCHAR(64)  NOT NULL PRIMARY KEY,
    domain_id          VARCHAR(64)  NOT NULL,
    name               VARCHAR(255) NOT NULL,
    password_hash      VARCHAR(255) NOT NULL,
    enabled            BOOLEAN      NOT NULL,
    default_project_id VARCHAR(64)  NOT NULL,
    options            {{.Text}}    NOT NULL,
    extra              {{.Text}}    NOT NULL,
    token_epoch        BIGINT       NOT NULL,
    failed_logins      BIGINT       NOT NULL,
    failed_at          BIGINT       NOT NULL,
    revision           BIGINT       NOT NULL,
    created_at         BIGINT       NOT NULL,
    CONSTRAINT users_name UNIQUE (domain_id, name)
) {{.Table}};

CREATE TABLE IF NOT EXISTS roles (
    id          VARCHAR(64)  NOT NULL PRIMARY KEY,
    name        VARCHAR(255) NOT NULL,
    description {{.Text}}    NOT NULL,
    options     {{.Text}}    NOT NULL,
    revision    BIGINT       NOT NULL,
    created_at  BIGINT       NOT NULL,
    CONSTRAINT roles_name UNIQUE (name)
) {{.Table}};

-- scope_kind is project, domain or system; the system's scope_id is "all".
CREATE TABLE IF NOT EXISTS role_assignments (
    user_id    VARCHAR(64) NOT NULL,
    scope_kind VARCHAR(16) NOT NULL,
    scope_id   VARCHAR(64) NOT NULL,
    role_id    VARCHAR(64) NOT NULL,
    PRIMARY KEY (user_id, scope_kind, scope_id, role_id)
) {{.Table}};
CREATE INDEX IF NOT EXISTS role_assignments_scope ON role_assignments (scope_kind, scope_id);

CREATE TABLE IF NOT EXISTS application_credentials (
    id           VARCHAR(64)  NOT NULL PRIMARY KEY,
    user_id      VARCHAR(64)  NOT NULL,
    project_id   VARCHAR(64)  NOT NULL,
    name         VARCHAR(255) NOT NULL,
    description  {{.Text}}    NOT NULL,
    secret_hash  VARCHAR(255) NOT NULL,
    role_ids     {{.Text}}    NOT NULL,
    unrestricted BOOLEAN      NOT NULL,
    expires_at   BIGINT       NOT NULL,
    created_at   BIGINT       NOT NULL,
    CONSTRAINT application_credentials_name UNIQUE (user_id, name)
) {{.Table}};
CREATE INDEX IF NOT EXISTS application_credentials_project ON application_credentials (project_id);

-- Single tokens that were revoked before they expired.
CREATE TABLE IF NOT EXISTS token_revocations (
    audit_id   VARCHAR(64) NOT NULL PRIMARY KEY,
    expires_at BIGINT      NOT NULL
) {{.Table}};
