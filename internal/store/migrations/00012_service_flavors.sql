-- +goose Up
-- Neutron's flavors framework over the same flavors and profiles.

-- own_name is the name of a flavor that was named through Neutron, where names are not unique; its name is its id then.
-- flavor_profile_id is '' while no profile is bound.
ALTER TABLE flavors {{.AddColumn}} own_name VARCHAR(255) NULL;
ALTER TABLE flavors {{.AddColumn}} service_type VARCHAR(36) NOT NULL DEFAULT 'LOADBALANCERV2';

-- driver and metainfo are as they were written through Neutron: '' and NULL say what provider_name and flavor_data say.
ALTER TABLE flavor_profiles {{.AddColumn}} description VARCHAR(1024) NOT NULL DEFAULT '';
ALTER TABLE flavor_profiles {{.AddColumn}} enabled BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE flavor_profiles {{.AddColumn}} driver VARCHAR(1024) NOT NULL DEFAULT '';
ALTER TABLE flavor_profiles {{.AddColumn}} metainfo {{.Text}} NULL;

-- The profiles of a flavor after its first one, which is flavors.flavor_profile_id.
CREATE TABLE IF NOT EXISTS flavor_bindings (
    flavor_id  VARCHAR(36) NOT NULL,
    profile_id VARCHAR(36) NOT NULL,
    position   BIGINT      NOT NULL,
    PRIMARY KEY (flavor_id, profile_id)
) {{.Table}};
CREATE INDEX IF NOT EXISTS flavor_bindings_profile ON flavor_bindings (profile_id);
