-- +goose Up
-- The rest of the network service: segments, security groups, routers, floating addresses, DHCP, quotas and hosts.
ALTER TABLE networks {{.AddColumn}} network_type VARCHAR(16) NOT NULL DEFAULT 'local';
ALTER TABLE networks {{.AddColumn}} physical_network VARCHAR(64) NOT NULL DEFAULT '';
ALTER TABLE networks {{.AddColumn}} segmentation_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE networks {{.AddColumn}} port_security BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE networks {{.AddColumn}} host VARCHAR(255) NOT NULL DEFAULT '';
ALTER TABLE ports {{.AddColumn}} port_security BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE ports {{.AddColumn}} address_pairs {{.Text}} NOT NULL DEFAULT '';
ALTER TABLE ports {{.AddColumn}} dhcp_options {{.Text}} NOT NULL DEFAULT '';

-- A flat network, a VLAN or a VXLAN is of one network at most: the key is the lock.
CREATE TABLE IF NOT EXISTS network_segments (
    network_type     VARCHAR(16) NOT NULL,
    physical_network VARCHAR(64) NOT NULL,
    segmentation_id  BIGINT      NOT NULL,
    network_id       VARCHAR(36) NOT NULL,
    PRIMARY KEY (network_type, physical_network, segmentation_id)
) {{.Table}};

-- default_of is the project of which the group is the default one; NULL for all others.
CREATE TABLE IF NOT EXISTS security_groups (
    id          VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id  VARCHAR(64)  NOT NULL,
    name        VARCHAR(255) NOT NULL,
    description VARCHAR(255) NOT NULL,
    default_of  VARCHAR(64)  NULL,
    tags        {{.Text}}    NOT NULL,
    revision    BIGINT       NOT NULL,
    epoch       BIGINT       NOT NULL,
    created_at  BIGINT       NOT NULL,
    updated_at  BIGINT       NOT NULL,
    CONSTRAINT security_groups_default UNIQUE (default_of)
) {{.Table}};
CREATE INDEX IF NOT EXISTS security_groups_project ON security_groups (project_id);

-- likeness is what a rule lets through, written so that two rules that are alike write the same.
CREATE TABLE IF NOT EXISTS security_group_rules (
    id              VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id      VARCHAR(64)  NOT NULL,
    group_id        VARCHAR(36)  NOT NULL,
    description     VARCHAR(255) NOT NULL,
    direction       VARCHAR(16)  NOT NULL,
    ether_type      VARCHAR(8)   NOT NULL,
    protocol        VARCHAR(40)  NOT NULL,
    port_min        BIGINT       NULL,
    port_max        BIGINT       NULL,
    remote_group_id VARCHAR(36)  NOT NULL,
    remote_prefix   VARCHAR(64)  NOT NULL,
    likeness        VARCHAR(255) NOT NULL,
    revision        BIGINT       NOT NULL,
    created_at      BIGINT       NOT NULL,
    updated_at      BIGINT       NOT NULL,
    CONSTRAINT security_group_rules_alike UNIQUE (group_id, likeness)
) {{.Table}};
CREATE INDEX IF NOT EXISTS security_group_rules_project ON security_group_rules (project_id);
CREATE INDEX IF NOT EXISTS security_group_rules_remote ON security_group_rules (remote_group_id);

CREATE TABLE IF NOT EXISTS port_security_groups (
    port_id  VARCHAR(36) NOT NULL,
    group_id VARCHAR(36) NOT NULL,
    position BIGINT      NOT NULL,
    PRIMARY KEY (port_id, group_id)
) {{.Table}};
CREATE INDEX IF NOT EXISTS port_security_groups_group ON port_security_groups (group_id);

CREATE TABLE IF NOT EXISTS routers (
    id                 VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id         VARCHAR(64)  NOT NULL,
    name               VARCHAR(255) NOT NULL,
    description        VARCHAR(255) NOT NULL,
    admin_state_up     BOOLEAN      NOT NULL,
    host               VARCHAR(255) NOT NULL,
    gateway_network_id VARCHAR(36)  NOT NULL,
    gateway_port_id    VARCHAR(36)  NOT NULL,
    enable_snat        BOOLEAN      NOT NULL,
    routes             {{.Text}}    NOT NULL,
    tags               {{.Text}}    NOT NULL,
    revision           BIGINT       NOT NULL,
    epoch              BIGINT       NOT NULL,
    created_at         BIGINT       NOT NULL,
    updated_at         BIGINT       NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS routers_project ON routers (project_id);
CREATE INDEX IF NOT EXISTS routers_host ON routers (host);

-- fixed is "<port id>/<address>" while it is associated, else NULL: a fixed address has one floating one of a network at most.
CREATE TABLE IF NOT EXISTS floating_ips (
    id            VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id    VARCHAR(64)  NOT NULL,
    description   VARCHAR(255) NOT NULL,
    network_id    VARCHAR(36)  NOT NULL,
    address       VARCHAR(45)  NOT NULL,
    own_port_id   VARCHAR(36)  NOT NULL,
    port_id       VARCHAR(36)  NOT NULL,
    fixed_address VARCHAR(45)  NOT NULL,
    router_id     VARCHAR(36)  NOT NULL,
    fixed         VARCHAR(90)  NULL,
    tags          {{.Text}}    NOT NULL,
    revision      BIGINT       NOT NULL,
    created_at    BIGINT       NOT NULL,
    updated_at    BIGINT       NOT NULL,
    CONSTRAINT floating_ips_fixed UNIQUE (network_id, fixed)
) {{.Table}};
CREATE INDEX IF NOT EXISTS floating_ips_project ON floating_ips (project_id);
CREATE INDEX IF NOT EXISTS floating_ips_port ON floating_ips (port_id);
CREATE INDEX IF NOT EXISTS floating_ips_router ON floating_ips (router_id);

-- Limits of a project's own; a resource that is not named has the default. -1 is unlimited.
CREATE TABLE IF NOT EXISTS network_quotas (
    project_id VARCHAR(64) NOT NULL,
    resource   VARCHAR(64) NOT NULL,
    most       BIGINT      NOT NULL,
    PRIMARY KEY (project_id, resource)
) {{.Table}};

-- Counted resources of a project come one after another where the quota is finite.
CREATE TABLE IF NOT EXISTS network_quota_epochs (
    project_id VARCHAR(64) NOT NULL PRIMARY KEY,
    epoch      BIGINT      NOT NULL
) {{.Table}};

CREATE TABLE IF NOT EXISTS hosts (
    name           VARCHAR(255) NOT NULL PRIMARY KEY,
    id             VARCHAR(36)  NOT NULL,
    tunnel_ip      VARCHAR(45)  NOT NULL,
    version        VARCHAR(255) NOT NULL,
    admin_state_up BOOLEAN      NOT NULL,
    created_at     BIGINT       NOT NULL,
    seen_at        BIGINT       NOT NULL
) {{.Table}};
