package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// aviNetworkToken is the variable that has a token for the network service.
const aviNetworkToken = "AVI_NETWORK_TOKEN"

const (
	aviPortsTimeout = 10 * time.Second
	aviPortsAnswer  = 1 << 20 // bytes of an answer at most
)

// aviPorts makes the ports of an emulator's service engines in a network service, over the Neutron API.
type aviPorts struct {
	url   string // ends before /v2.0
	token string
}

// CreatePort makes a port in the network of a subnet.
func (p aviPorts) CreatePort(ctx context.Context, name, subnetID, _ string) (string, error) {
	var found struct {
		Subnet struct {
			NetworkID string `json:"network_id"`
		} `json:"subnet"`
	}
	if err := p.do(ctx, http.MethodGet, "subnets/"+url.PathEscape(subnetID), nil, &found); err != nil {
		return "", err
	}
	port := map[string]any{"port": map[string]any{
		"name": name, "network_id": found.Subnet.NetworkID, "fixed_ips": []any{map[string]any{"subnet_id": subnetID}},
	}}
	var made struct {
		Port struct {
			ID string `json:"id"`
		} `json:"port"`
	}
	err := p.do(ctx, http.MethodPost, "ports", port, &made)
	return made.Port.ID, err
}

// DeletePort deletes a port.
func (p aviPorts) DeletePort(ctx context.Context, id string) error {
	return p.do(ctx, http.MethodDelete, "ports/"+url.PathEscape(id), nil, nil)
}

// do makes a request. What is to be deleted and is not there is no error.
func (p aviPorts) do(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, aviPortsTimeout)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(p.url, "/")+"/v2.0/"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("X-Auth-Token", p.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, aviPortsAnswer))
	if err != nil {
		return err
	}
	if method == http.MethodDelete && resp.StatusCode == http.StatusNotFound {
		return nil
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: the network service answers %s: %.200q", method, path, resp.Status, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
