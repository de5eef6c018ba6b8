-- +goose Up
-- The load balancers and their trees. Every object carries how far its wanted state has come: generation is that of the load
-- balancer when the object was last changed, observed the generation that was last made true, deleted is wanted state.
-- Times are microseconds since 1970; lists are JSON text, '' when empty; -2 stands for a number that is null.
CREATE TABLE IF NOT EXISTS load_balancers (
    id                VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id        VARCHAR(36)  NOT NULL,
    name              VARCHAR(255) NOT NULL,
    description       VARCHAR(255) NOT NULL,
    admin_state_up    BOOLEAN      NOT NULL,
    tags              {{.Text}}    NOT NULL,
    created_at        BIGINT       NOT NULL,
    updated_at        BIGINT       NOT NULL,
    generation        BIGINT       NOT NULL,
    observed          BIGINT       NOT NULL,
    deleted           BOOLEAN      NOT NULL,
    failed            BOOLEAN      NOT NULL,
    reason            {{.Text}}    NOT NULL,
    operating_status  VARCHAR(16)  NOT NULL,
    vip_address       VARCHAR(64)  NOT NULL,
    vip_port_id       VARCHAR(36)  NOT NULL,
    vip_subnet_id     VARCHAR(36)  NOT NULL,
    vip_network_id    VARCHAR(36)  NOT NULL,
    vip_qos_policy_id VARCHAR(36)  NOT NULL,
    vip_port_owned    BOOLEAN      NOT NULL,
    provider          VARCHAR(64)  NOT NULL,
    flavor_id         VARCHAR(36)  NOT NULL,
    availability_zone VARCHAR(255) NOT NULL,
    host              VARCHAR(255) NOT NULL,
    -- The lease under which the loop works on it, and since when there is something to do: 0 is nothing.
    lease_name        VARCHAR(300) NOT NULL,
    pending_since     BIGINT       NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS load_balancers_pending ON load_balancers (lease_name, pending_since);
CREATE INDEX IF NOT EXISTS load_balancers_project ON load_balancers (project_id, created_at, id);
CREATE INDEX IF NOT EXISTS load_balancers_created ON load_balancers (created_at, id);

-- The indexes that end in (created_at, id) hold all that naming an object's children takes.
-- live is 1, or NULL once the row is wanted deleted, so that the row then counts for nothing in a unique key.
CREATE TABLE IF NOT EXISTS listeners (
    id                          VARCHAR(36)   NOT NULL PRIMARY KEY,
    project_id                  VARCHAR(36)   NOT NULL,
    name                        VARCHAR(255)  NOT NULL,
    description                 VARCHAR(255)  NOT NULL,
    admin_state_up              BOOLEAN       NOT NULL,
    tags                        {{.Text}}     NOT NULL,
    created_at                  BIGINT        NOT NULL,
    updated_at                  BIGINT        NOT NULL,
    generation                  BIGINT        NOT NULL,
    observed                    BIGINT        NOT NULL,
    deleted                     BOOLEAN       NOT NULL,
    failed                      BOOLEAN       NOT NULL,
    reason                      {{.Text}}     NOT NULL,
    operating_status            VARCHAR(16)   NOT NULL,
    load_balancer_id            VARCHAR(36)   NOT NULL,
    protocol                    VARCHAR(32)   NOT NULL,
    transport                   VARCHAR(8)    NOT NULL,
    protocol_port               BIGINT        NOT NULL,
    live                        BIGINT,
    connection_limit            BIGINT        NOT NULL,
    default_pool_id             VARCHAR(36)   NOT NULL,
    insert_headers              {{.Text}}     NOT NULL,
    allowed_cidrs               {{.Text}}     NOT NULL,
    timeout_client_data         BIGINT        NOT NULL,
    timeout_member_connect      BIGINT        NOT NULL,
    timeout_member_data         BIGINT        NOT NULL,
    timeout_tcp_inspect         BIGINT        NOT NULL,
    default_tls_container_ref   VARCHAR(255)  NOT NULL,
    sni_container_refs          {{.Text}}     NOT NULL,
    client_ca_tls_container_ref VARCHAR(255)  NOT NULL,
    client_authentication       VARCHAR(16)   NOT NULL,
    client_crl_container_ref    VARCHAR(255)  NOT NULL,
    tls_ciphers                 {{.Text}}     NOT NULL,
    tls_versions                {{.Text}}     NOT NULL,
    alpn_protocols              {{.Text}}     NOT NULL,
    hsts_max_age                BIGINT        NOT NULL,
    hsts_include_subdomains     BOOLEAN       NOT NULL,
    hsts_preload                BOOLEAN       NOT NULL,
    CONSTRAINT listeners_port UNIQUE (load_balancer_id, transport, protocol_port, live)
) {{.Table}};
CREATE INDEX IF NOT EXISTS listeners_load_balancer ON listeners (load_balancer_id, created_at, id);
CREATE INDEX IF NOT EXISTS listeners_pool ON listeners (default_pool_id, created_at, id);
CREATE INDEX IF NOT EXISTS listeners_project ON listeners (project_id, created_at, id);
CREATE INDEX IF NOT EXISTS listeners_created ON listeners (created_at, id);

CREATE TABLE IF NOT EXISTS pools (
    id                      VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id              VARCHAR(36)  NOT NULL,
    name                    VARCHAR(255) NOT NULL,
    description             VARCHAR(255) NOT NULL,
    admin_state_up          BOOLEAN      NOT NULL,
    tags                    {{.Text}}    NOT NULL,
    created_at              BIGINT       NOT NULL,
    updated_at              BIGINT       NOT NULL,
    generation              BIGINT       NOT NULL,
    observed                BIGINT       NOT NULL,
    deleted                 BOOLEAN      NOT NULL,
    failed                  BOOLEAN      NOT NULL,
    reason                  {{.Text}}    NOT NULL,
    operating_status        VARCHAR(16)  NOT NULL,
    load_balancer_id        VARCHAR(36)  NOT NULL,
    protocol                VARCHAR(32)  NOT NULL,
    lb_algorithm            VARCHAR(32)  NOT NULL,
    -- '' is no session persistence
    persistence_type        VARCHAR(32)  NOT NULL,
    persistence_cookie      VARCHAR(255) NOT NULL,
    persistence_timeout     BIGINT       NOT NULL,
    persistence_granularity VARCHAR(64)  NOT NULL,
    tls_enabled             BOOLEAN      NOT NULL,
    tls_container_ref       VARCHAR(255) NOT NULL,
    ca_tls_container_ref    VARCHAR(255) NOT NULL,
    crl_container_ref       VARCHAR(255) NOT NULL,
    tls_ciphers             {{.Text}}    NOT NULL,
    tls_versions            {{.Text}}    NOT NULL,
    alpn_protocols          {{.Text}}    NOT NULL,
    -- the last number that was given to a member: numbers are never given twice
    last_number             BIGINT       NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS pools_load_balancer ON pools (load_balancer_id, created_at, id);
CREATE INDEX IF NOT EXISTS pools_project ON pools (project_id, created_at, id);
CREATE INDEX IF NOT EXISTS pools_created ON pools (created_at, id);

CREATE TABLE IF NOT EXISTS members (
    id               VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id       VARCHAR(36)  NOT NULL,
    name             VARCHAR(255) NOT NULL,
    description      VARCHAR(255) NOT NULL,
    admin_state_up   BOOLEAN      NOT NULL,
    tags             {{.Text}}    NOT NULL,
    created_at       BIGINT       NOT NULL,
    updated_at       BIGINT       NOT NULL,
    generation       BIGINT       NOT NULL,
    observed         BIGINT       NOT NULL,
    deleted          BOOLEAN      NOT NULL,
    failed           BOOLEAN      NOT NULL,
    reason           {{.Text}}    NOT NULL,
    operating_status VARCHAR(16)  NOT NULL,
    load_balancer_id VARCHAR(36)  NOT NULL,
    pool_id          VARCHAR(36)  NOT NULL,
    address          VARCHAR(64)  NOT NULL,
    protocol_port    BIGINT       NOT NULL,
    live             BIGINT,
    weight           BIGINT       NOT NULL,
    backup           BOOLEAN      NOT NULL,
    subnet_id        VARCHAR(36)  NOT NULL,
    monitor_address  VARCHAR(64)  NOT NULL,
    monitor_port     BIGINT       NOT NULL,
    vnic_type        VARCHAR(16)  NOT NULL,
    number           BIGINT       NOT NULL,
    CONSTRAINT members_address UNIQUE (pool_id, address, protocol_port, live)
) {{.Table}};
CREATE INDEX IF NOT EXISTS members_load_balancer ON members (load_balancer_id, number);
CREATE INDEX IF NOT EXISTS members_pool ON members (pool_id, created_at, id);
CREATE INDEX IF NOT EXISTS members_project ON members (project_id, created_at, id);
CREATE INDEX IF NOT EXISTS members_created ON members (created_at, id);

CREATE TABLE IF NOT EXISTS health_monitors (
    id               VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id       VARCHAR(36)  NOT NULL,
    name             VARCHAR(255) NOT NULL,
    description      VARCHAR(255) NOT NULL,
    admin_state_up   BOOLEAN      NOT NULL,
    tags             {{.Text}}    NOT NULL,
    created_at       BIGINT       NOT NULL,
    updated_at       BIGINT       NOT NULL,
    generation       BIGINT       NOT NULL,
    observed         BIGINT       NOT NULL,
    deleted          BOOLEAN      NOT NULL,
    failed           BOOLEAN      NOT NULL,
    reason           {{.Text}}    NOT NULL,
    operating_status VARCHAR(16)  NOT NULL,
    load_balancer_id VARCHAR(36)  NOT NULL,
    pool_id          VARCHAR(36)  NOT NULL,
    live             BIGINT,
    type             VARCHAR(16)  NOT NULL,
    delay            BIGINT       NOT NULL,
    timeout          BIGINT       NOT NULL,
    max_retries      BIGINT       NOT NULL,
    max_retries_down BIGINT       NOT NULL,
    http_method      VARCHAR(16)  NOT NULL,
    url_path         {{.Text}}    NOT NULL,
    expected_codes   {{.Text}}    NOT NULL,
    http_version     VARCHAR(8)   NOT NULL,
    domain_name      VARCHAR(255) NOT NULL,
    CONSTRAINT health_monitors_pool UNIQUE (pool_id, live)
) {{.Table}};
CREATE INDEX IF NOT EXISTS health_monitors_load_balancer ON health_monitors (load_balancer_id);
CREATE INDEX IF NOT EXISTS health_monitors_project ON health_monitors (project_id, created_at, id);
CREATE INDEX IF NOT EXISTS health_monitors_created ON health_monitors (created_at, id);

-- The counters of a listener as last observed. A table of its own, so that counting does not touch what is wanted.
CREATE TABLE IF NOT EXISTS listener_statistics (
    listener_id        VARCHAR(36) NOT NULL PRIMARY KEY,
    load_balancer_id   VARCHAR(36) NOT NULL,
    bytes_in           BIGINT      NOT NULL,
    bytes_out          BIGINT      NOT NULL,
    active_connections BIGINT      NOT NULL,
    total_connections  BIGINT      NOT NULL,
    request_errors     BIGINT      NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS listener_statistics_load_balancer ON listener_statistics (load_balancer_id);

-- Who works on which load balancers. epoch grows whenever a lease is acquired anew; writes counts what was written under
-- it, and is there to be written: that is what orders a late writer and the next holder.
CREATE TABLE IF NOT EXISTS leases (
    name       VARCHAR(300) NOT NULL PRIMARY KEY,
    holder     VARCHAR(255) NOT NULL,
    epoch      BIGINT       NOT NULL,
    expires_at BIGINT       NOT NULL,
    writes     BIGINT       NOT NULL
) {{.Table}};
