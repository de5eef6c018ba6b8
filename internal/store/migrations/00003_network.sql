-- +goose Up
-- Each change of what a network holds bumps its epoch, so that such changes come one after another.
CREATE TABLE IF NOT EXISTS networks (
    id             VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id     VARCHAR(64)  NOT NULL,
    name           VARCHAR(255) NOT NULL,
    description    VARCHAR(255) NOT NULL,
    admin_state_up BOOLEAN      NOT NULL,
    shared         BOOLEAN      NOT NULL,
    external       BOOLEAN      NOT NULL,
    mtu            BIGINT       NOT NULL,
    tags           {{.Text}}    NOT NULL,
    revision       BIGINT       NOT NULL,
    epoch          BIGINT       NOT NULL,
    created_at     BIGINT       NOT NULL,
    updated_at     BIGINT       NOT NULL
) {{.Table}};

CREATE INDEX IF NOT EXISTS networks_project ON networks (project_id);

CREATE TABLE IF NOT EXISTS subnets (
    id                VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id        VARCHAR(64)  NOT NULL,
    network_id        VARCHAR(36)  NOT NULL,
    name              VARCHAR(255) NOT NULL,
    description       VARCHAR(255) NOT NULL,
    ip_version        BIGINT       NOT NULL,
    cidr              VARCHAR(64)  NOT NULL,
    gateway_ip        VARCHAR(64)  NOT NULL,
    allocation_pools  {{.Text}}    NOT NULL,
    dns_nameservers   {{.Text}}    NOT NULL,
    host_routes       {{.Text}}    NOT NULL,
    enable_dhcp       BOOLEAN      NOT NULL,
    ipv6_address_mode VARCHAR(32)  NOT NULL,
    ipv6_ra_mode      VARCHAR(32)  NOT NULL,
    tags              {{.Text}}    NOT NULL,
    revision          BIGINT       NOT NULL,
    created_at        BIGINT       NOT NULL,
    updated_at        BIGINT       NOT NULL
) {{.Table}};

CREATE INDEX IF NOT EXISTS subnets_network ON subnets (network_id);

-- wanted_host is where the port is to be plugged now, plugged_host where it may be plugged. A deleted port stays, with its
-- MAC and its addresses, until its host has unplugged it.
CREATE TABLE IF NOT EXISTS ports (
    id             VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id     VARCHAR(64)  NOT NULL,
    network_id     VARCHAR(36)  NOT NULL,
    name           VARCHAR(255) NOT NULL,
    description    VARCHAR(255) NOT NULL,
    admin_state_up BOOLEAN      NOT NULL,
    mac_address    VARCHAR(17)  NOT NULL,
    device_id      VARCHAR(255) NOT NULL,
    device_owner   VARCHAR(255) NOT NULL,
    tags           {{.Text}}    NOT NULL,
    revision       BIGINT       NOT NULL,
    created_at     BIGINT       NOT NULL,
    updated_at     BIGINT       NOT NULL,
    host           VARCHAR(255) NOT NULL,
    netns          VARCHAR(64)  NOT NULL,
    wanted_host    VARCHAR(255) NOT NULL,
    plugged_host   VARCHAR(255) NOT NULL,
    generation     BIGINT       NOT NULL,
    observed       BIGINT       NOT NULL,
    reason         {{.Text}}    NOT NULL,
    deleted        BOOLEAN      NOT NULL,
    UNIQUE (network_id, mac_address)
) {{.Table}};

CREATE INDEX IF NOT EXISTS ports_project ON ports (project_id);
CREATE INDEX IF NOT EXISTS ports_device ON ports (device_id);
CREATE INDEX IF NOT EXISTS ports_plugged_host ON ports (plugged_host);

-- number is the address as 32 hexadecimal digits (RFC 4291's mapped form for IPv4), so that all engines order addresses alike.
CREATE TABLE IF NOT EXISTS port_addresses (
    subnet_id VARCHAR(36) NOT NULL,
    number    VARCHAR(32) NOT NULL,
    address   VARCHAR(45) NOT NULL,
    port_id   VARCHAR(36) NOT NULL,
    position  BIGINT      NOT NULL,
    PRIMARY KEY (subnet_id, number)
) {{.Table}};

CREATE INDEX IF NOT EXISTS port_addresses_port ON port_addresses (port_id);
CREATE INDEX IF NOT EXISTS port_addresses_address ON port_addresses (address);
