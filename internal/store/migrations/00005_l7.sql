-- +goose Up
-- What a listener does with requests by what they ask for, and how it limits its clients. The columns of every object are those
-- of 00004. No key guards position: the load balancer's lock does, since engines check keys row by row while rows move.
CREATE TABLE IF NOT EXISTS l7policies (
    id                 VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id         VARCHAR(36)  NOT NULL,
    name               VARCHAR(255) NOT NULL,
    description        VARCHAR(255) NOT NULL,
    admin_state_up     BOOLEAN      NOT NULL,
    tags               {{.Text}}    NOT NULL,
    created_at         BIGINT       NOT NULL,
    updated_at         BIGINT       NOT NULL,
    generation         BIGINT       NOT NULL,
    observed           BIGINT       NOT NULL,
    deleted            BOOLEAN      NOT NULL,
    failed             BOOLEAN      NOT NULL,
    reason             {{.Text}}    NOT NULL,
    operating_status   VARCHAR(16)  NOT NULL,
    load_balancer_id   VARCHAR(36)  NOT NULL,
    listener_id        VARCHAR(36)  NOT NULL,
    action             VARCHAR(32)  NOT NULL,
    redirect_pool_id   VARCHAR(36)  NOT NULL,
    redirect_url       {{.Text}}    NOT NULL,
    redirect_prefix    {{.Text}}    NOT NULL,
    redirect_http_code BIGINT       NOT NULL,
    position           BIGINT       NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS l7policies_load_balancer ON l7policies (load_balancer_id, position);
CREATE INDEX IF NOT EXISTS l7policies_listener ON l7policies (listener_id, position, created_at, id);
CREATE INDEX IF NOT EXISTS l7policies_redirect_pool ON l7policies (redirect_pool_id);
CREATE INDEX IF NOT EXISTS l7policies_project ON l7policies (project_id, created_at, id);
CREATE INDEX IF NOT EXISTS l7policies_created ON l7policies (created_at, id);

-- rule_key and rule_value are the API's key and value, one of which is a reserved word.
CREATE TABLE IF NOT EXISTS l7rules (
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
    l7policy_id      VARCHAR(36)  NOT NULL,
    type             VARCHAR(32)  NOT NULL,
    compare_type     VARCHAR(32)  NOT NULL,
    rule_key         VARCHAR(255) NOT NULL,
    rule_value       VARCHAR(255) NOT NULL,
    invert           BOOLEAN      NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS l7rules_load_balancer ON l7rules (load_balancer_id);
CREATE INDEX IF NOT EXISTS l7rules_l7policy ON l7rules (l7policy_id, created_at, id);
CREATE INDEX IF NOT EXISTS l7rules_project ON l7rules (project_id, created_at, id);
CREATE INDEX IF NOT EXISTS l7rules_created ON l7rules (created_at, id);

CREATE TABLE IF NOT EXISTS rate_limit_policies (
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
    listener_id      VARCHAR(36)  NOT NULL,
    action           VARCHAR(32)  NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS rate_limit_policies_load_balancer ON rate_limit_policies (load_balancer_id);
CREATE INDEX IF NOT EXISTS rate_limit_policies_listener ON rate_limit_policies (listener_id, created_at, id);
CREATE INDEX IF NOT EXISTS rate_limit_policies_project ON rate_limit_policies (project_id, created_at, id);
CREATE INDEX IF NOT EXISTS rate_limit_policies_created ON rate_limit_policies (created_at, id);

CREATE TABLE IF NOT EXISTS rate_limit_rules (
    id                   VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id           VARCHAR(36)  NOT NULL,
    name                 VARCHAR(255) NOT NULL,
    description          VARCHAR(255) NOT NULL,
    admin_state_up       BOOLEAN      NOT NULL,
    tags                 {{.Text}}    NOT NULL,
    created_at           BIGINT       NOT NULL,
    updated_at           BIGINT       NOT NULL,
    generation           BIGINT       NOT NULL,
    observed             BIGINT       NOT NULL,
    deleted              BOOLEAN      NOT NULL,
    failed               BOOLEAN      NOT NULL,
    reason               {{.Text}}    NOT NULL,
    operating_status     VARCHAR(16)  NOT NULL,
    load_balancer_id     VARCHAR(36)  NOT NULL,
    rate_limit_policy_id VARCHAR(36)  NOT NULL,
    metric               VARCHAR(32)  NOT NULL,
    threshold            BIGINT       NOT NULL,
    interval_seconds     BIGINT       NOT NULL,
    urls                 {{.Text}}    NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS rate_limit_rules_load_balancer ON rate_limit_rules (load_balancer_id);
CREATE INDEX IF NOT EXISTS rate_limit_rules_policy ON rate_limit_rules (rate_limit_policy_id, created_at, id);
CREATE INDEX IF NOT EXISTS rate_limit_rules_project ON rate_limit_rules (project_id, created_at, id);
CREATE INDEX IF NOT EXISTS rate_limit_rules_created ON rate_limit_rules (created_at, id);

-- additional_vips is JSON text, '' when there are none. failed_over is the generation at which a failover was last asked for.
ALTER TABLE load_balancers {{.AddColumn}} vip_vnic_type   VARCHAR(16) NOT NULL DEFAULT 'normal';
ALTER TABLE load_balancers {{.AddColumn}} vip_sg_ids      {{.Text}}   NOT NULL DEFAULT '';
ALTER TABLE load_balancers {{.AddColumn}} additional_vips {{.Text}}   NOT NULL DEFAULT '';
ALTER TABLE load_balancers {{.AddColumn}} failed_over     BIGINT      NOT NULL DEFAULT 0;
