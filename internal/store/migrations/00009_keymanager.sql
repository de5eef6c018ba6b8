-- +goose Up
-- What the key manager keeps. epoch is that of 00006. acl_users is JSON text, '' when there are none; acl_created_at is 0 where there is no ACL.
-- not_after is when the first certificate in the payload expires, 0 where there is none.
CREATE TABLE IF NOT EXISTS secrets (
    id             VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id     VARCHAR(64)  NOT NULL,
    creator_id     VARCHAR(64)  NOT NULL,
    name           VARCHAR(255) NOT NULL,
    type           VARCHAR(32)  NOT NULL,
    algorithm      VARCHAR(255) NOT NULL,
    bit_length     BIGINT       NOT NULL,
    mode           VARCHAR(255) NOT NULL,
    expires_at     BIGINT       NOT NULL,
    content_type   VARCHAR(255) NOT NULL,
    not_after      BIGINT       NOT NULL,
    metadata       {{.Text}}    NOT NULL,
    acl_users      {{.Text}}    NOT NULL,
    acl_project    BOOLEAN      NOT NULL,
    acl_created_at BIGINT       NOT NULL,
    acl_updated_at BIGINT       NOT NULL,
    created_at     BIGINT       NOT NULL,
    updated_at     BIGINT       NOT NULL,
    epoch          BIGINT       NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS secrets_project ON secrets (project_id, created_at, id);

-- sealed is base64 of what can only be read with a key that the database does not have.
CREATE TABLE IF NOT EXISTS secret_payloads (
    secret_id VARCHAR(36) NOT NULL PRIMARY KEY,
    sealed    {{.Text}}   NOT NULL
) {{.Table}};

CREATE TABLE IF NOT EXISTS secret_containers (
    id             VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id     VARCHAR(64)  NOT NULL,
    creator_id     VARCHAR(64)  NOT NULL,
    name           VARCHAR(255) NOT NULL,
    type           VARCHAR(32)  NOT NULL,
    acl_users      {{.Text}}    NOT NULL,
    acl_project    BOOLEAN      NOT NULL,
    acl_created_at BIGINT       NOT NULL,
    acl_updated_at BIGINT       NOT NULL,
    created_at     BIGINT       NOT NULL,
    updated_at     BIGINT       NOT NULL,
    epoch          BIGINT       NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS secret_containers_project ON secret_containers (project_id, created_at, id);

CREATE TABLE IF NOT EXISTS secret_container_items (
    container_id VARCHAR(36)  NOT NULL,
    position     BIGINT       NOT NULL,
    name         VARCHAR(255) NOT NULL,
    secret_id    VARCHAR(36)  NOT NULL,
    PRIMARY KEY (container_id, position)
) {{.Table}};
CREATE INDEX IF NOT EXISTS secret_container_items_secret ON secret_container_items (secret_id);

-- Who said that it uses a secret or a container, its owner.
CREATE TABLE IF NOT EXISTS secret_consumers (
    id            VARCHAR(36)  NOT NULL PRIMARY KEY,
    owner_id      VARCHAR(36)  NOT NULL,
    project_id    VARCHAR(64)  NOT NULL,
    name          VARCHAR(255) NOT NULL,
    url           {{.Text}}    NOT NULL,
    service       VARCHAR(255) NOT NULL,
    resource_type VARCHAR(255) NOT NULL,
    resource_id   VARCHAR(255) NOT NULL,
    created_at    BIGINT       NOT NULL,
    updated_at    BIGINT       NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS secret_consumers_owner ON secret_consumers (owner_id, created_at, id);
