-- +goose Up
-- Whether the data plane notes every request of a load balancer.
ALTER TABLE load_balancers {{.AddColumn}} access_log BOOLEAN NOT NULL DEFAULT FALSE;
