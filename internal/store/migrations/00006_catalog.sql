-- +goose Up
-- What stands beside the trees. epoch is bumped by whoever relies on what the row says, so that they come one after another.

-- A project's own limits: -2 is none of its own, -1 is unlimited. A row whose limits were taken back stays for its epoch.
CREATE TABLE IF NOT EXISTS quotas (
    project_id     VARCHAR(36) NOT NULL PRIMARY KEY,
    own            BOOLEAN     NOT NULL,
    load_balancer  BIGINT      NOT NULL,
    listener       BIGINT      NOT NULL,
    pool           BIGINT      NOT NULL,
    health_monitor BIGINT      NOT NULL,
    member         BIGINT      NOT NULL,
    l7_policy      BIGINT      NOT NULL,
    l7_rule        BIGINT      NOT NULL,
    epoch          BIGINT      NOT NULL
) {{.Table}};

CREATE TABLE IF NOT EXISTS flavor_profiles (
    id            VARCHAR(36)  NOT NULL PRIMARY KEY,
    name          VARCHAR(255) NOT NULL,
    provider_name VARCHAR(255) NOT NULL,
    flavor_data   {{.Text}}    NOT NULL,
    created_at    BIGINT       NOT NULL,
    epoch         BIGINT       NOT NULL
) {{.Table}};

CREATE TABLE IF NOT EXISTS flavors (
    id                VARCHAR(36)  NOT NULL PRIMARY KEY,
    name              VARCHAR(255) NOT NULL,
    description       VARCHAR(255) NOT NULL,
    enabled           BOOLEAN      NOT NULL,
    flavor_profile_id VARCHAR(36)  NOT NULL,
    created_at        BIGINT       NOT NULL,
    epoch             BIGINT       NOT NULL,
    CONSTRAINT flavors_name UNIQUE (name)
) {{.Table}};
CREATE INDEX IF NOT EXISTS flavors_profile ON flavors (flavor_profile_id);

CREATE TABLE IF NOT EXISTS availability_zone_profiles (
    id                     VARCHAR(36)  NOT NULL PRIMARY KEY,
    name                   VARCHAR(255) NOT NULL,
    provider_name          VARCHAR(255) NOT NULL,
    availability_zone_data {{.Text}}    NOT NULL,
    created_at             BIGINT       NOT NULL,
    epoch                  BIGINT       NOT NULL
) {{.Table}};

CREATE TABLE IF NOT EXISTS availability_zones (
    name                         VARCHAR(255) NOT NULL PRIMARY KEY,
    description                  VARCHAR(255) NOT NULL,
    enabled                      BOOLEAN      NOT NULL,
    availability_zone_profile_id VARCHAR(36)  NOT NULL,
    created_at                   BIGINT       NOT NULL,
    epoch                        BIGINT       NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS availability_zones_profile ON availability_zones (availability_zone_profile_id);

-- The instances of the data planes, as providers report them.
CREATE TABLE IF NOT EXISTS amphorae (
    id               VARCHAR(36)  NOT NULL PRIMARY KEY,
    load_balancer_id VARCHAR(36)  NOT NULL,
    project_id       VARCHAR(36)  NOT NULL,
    compute_id       VARCHAR(255) NOT NULL,
    lb_network_ip    VARCHAR(64)  NOT NULL,
    vrrp_ip          VARCHAR(64)  NOT NULL,
    ha_ip            VARCHAR(64)  NOT NULL,
    vrrp_port_id     VARCHAR(36)  NOT NULL,
    ha_port_id       VARCHAR(36)  NOT NULL,
    cert_expiration  BIGINT       NOT NULL,
    cert_busy        BOOLEAN      NOT NULL,
    role             VARCHAR(36)  NOT NULL,
    status           VARCHAR(36)  NOT NULL,
    vrrp_interface   VARCHAR(255) NOT NULL,
    vrrp_id          BIGINT       NOT NULL,
    vrrp_priority    BIGINT       NOT NULL,
    cached_zone      VARCHAR(255) NOT NULL,
    image_id         VARCHAR(255) NOT NULL,
    compute_flavor   VARCHAR(255) NOT NULL,
    created_at       BIGINT       NOT NULL,
    updated_at       BIGINT       NOT NULL
) {{.Table}};
CREATE INDEX IF NOT EXISTS amphorae_load_balancer ON amphorae (load_balancer_id);
CREATE INDEX IF NOT EXISTS amphorae_created ON amphorae (created_at, id);
