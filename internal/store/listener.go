package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"plimsoll/lbaas"
)

type listenerRow struct {
	bun.BaseModel `bun:"table:listeners,alias:listeners"`
	objectRow

	LoadBalancerID          string `bun:"load_balancer_id"`
	Protocol                string `bun:"protocol"`
	Transport               string `bun:"transport"`
	ProtocolPort            int64  `bun:"protocol_port"`
	Live                    int64  `bun:"live,nullzero"`
	ConnectionLimit         int64  `bun:"connection_limit"`
	DefaultPoolID           string `bun:"default_pool_id"`
	InsertHeaders           string `bun:"insert_headers"`
	AllowedCIDRs            string `bun:"allowed_cidrs"`
	TimeoutClientData       int64  `bun:"timeout_client_data"`
	TimeoutMemberConnect    int64  `bun:"timeout_member_connect"`
	TimeoutMemberData       int64  `bun:"timeout_member_data"`
	TimeoutTCPInspect       int64  `bun:"timeout_tcp_inspect"`
	DefaultTLSContainerRef  string `bun:"default_tls_container_ref"`
	SNIContainerRefs        string `bun:"sni_container_refs"`
	ClientCATLSContainerRef string `bun:"client_ca_tls_container_ref"`
	ClientAuthentication    string `bun:"client_authentication"`
	ClientCRLContainerRef   string `bun:"client_crl_container_ref"`
	TLSCiphers              string `bun:"tls_ciphers"`
	TLSVersions             string `bun:"tls_versions"`
	ALPNProtocols           string `bun:"alpn_protocols"`
	HSTSMaxAge              int64  `bun:"hsts_max_age"`
	HSTSIncludeSubdomains   bool   `bun:"hsts_include_subdomains"`
	HSTSPreload             bool   `bun:"hsts_preload"`
}

func newListenerRow(l *lbaas.Listener) listenerRow {
	return listenerRow{
		objectRow:      newObjectRow(&l.Object),
		LoadBalancerID: l.LoadBalancerID, Protocol: string(l.Protocol), Transport: transport(l.Protocol),
		ProtocolPort: int64(l.ProtocolPort), Live: 1,
		ConnectionLimit: numberOrNone(l.ConnectionLimit), DefaultPoolID: l.DefaultPoolID,
		InsertHeaders: headersText(l.InsertHeaders), AllowedCIDRs: listText(l.AllowedCIDRs),
		TimeoutClientData: int64(l.TimeoutClientData), TimeoutMemberConnect: int64(l.TimeoutMemberConnect),
		TimeoutMemberData: int64(l.TimeoutMemberData), TimeoutTCPInspect: int64(l.TimeoutTCPInspect),
		DefaultTLSContainerRef: l.DefaultTLSContainerRef, SNIContainerRefs: listText(l.SNIContainerRefs),
		ClientCATLSContainerRef: l.ClientCATLSContainerRef, ClientAuthentication: string(l.ClientAuthentication),
		ClientCRLContainerRef: l.ClientCRLContainerRef,
		TLSCiphers:            l.TLSCiphers, TLSVersions: listText(l.TLSVersions), ALPNProtocols: listText(l.ALPNProtocols),
		HSTSMaxAge: numberOrNone(l.HSTSMaxAge), HSTSIncludeSubdomains: l.HSTSIncludeSubdomains, HSTSPreload: l.HSTSPreload,
	}
}

func (r *listenerRow) domain() *lbaas.Listener {
	return &lbaas.Listener{
		Object:         r.objectRow.domain(),
		LoadBalancerID: r.LoadBalancerID, Protocol: lbaas.Protocol(r.Protocol), ProtocolPort: int(r.ProtocolPort),
		ConnectionLimit: noneOrNumber(r.ConnectionLimit), DefaultPoolID: r.DefaultPoolID,
		InsertHeaders: textHeaders(r.InsertHeaders), AllowedCIDRs: textList(r.AllowedCIDRs),
		TimeoutClientData: int(r.TimeoutClientData), TimeoutMemberConnect: int(r.TimeoutMemberConnect),
		TimeoutMemberData: int(r.TimeoutMemberData), TimeoutTCPInspect: int(r.TimeoutTCPInspect),
		DefaultTLSContainerRef: r.DefaultTLSContainerRef, SNIContainerRefs: textList(r.SNIContainerRefs),
		ClientCATLSContainerRef: r.ClientCATLSContainerRef,
		ClientAuthentication:    lbaas.ClientAuthentication(r.ClientAuthentication),
		ClientCRLContainerRef:   r.ClientCRLContainerRef,
		TLSCiphers:              r.TLSCiphers, TLSVersions: textList(r.TLSVersions), ALPNProtocols: textList(r.ALPNProtocols),
		HSTSMaxAge: noneOrNumber(r.HSTSMaxAge), HSTSIncludeSubdomains: r.HSTSIncludeSubdomains, HSTSPreload: r.HSTSPreload,
	}
}

// same tells whether both rows say the same of the object, whatever its progress.
func (r listenerRow) same(o listenerRow) bool {
	r.objectRow, o.objectRow = r.settled(), o.settled()
	return r == o
}

// transport is the layer-4 protocol, whose ports a load balancer's listeners share.
func transport(p lbaas.Protocol) string {
	if p == lbaas.UDP || p == lbaas.SCTP {
		return string(p)
	}
	return string(lbaas.TCP)
}

func headersText(headers map[string]string) string {
	if len(headers) == 0 {
		return ""
	}
	return jsonText(headers)
}

func textHeaders(text string) map[string]string {
	var headers map[string]string
	textJSON(text, &headers)
	return headers
}

var listenerAttributes = objectAttributes(attributes{
	"loadbalancer_id":             {column: "load_balancer_id"},
	"protocol":                    {column: "protocol"},
	"protocol_port":               {column: "protocol_port", value: integer},
	"connection_limit":            {column: "connection_limit", value: integer},
	"default_pool_id":             {column: "default_pool_id"},
	"timeout_client_data":         {column: "timeout_client_data", value: integer},
	"timeout_member_connect":      {column: "timeout_member_connect", value: integer},
	"timeout_member_data":         {column: "timeout_member_data", value: integer},
	"timeout_tcp_inspect":         {column: "timeout_tcp_inspect", value: integer},
	"default_tls_container_ref":   {column: "default_tls_container_ref"},
	"client_ca_tls_container_ref": {column: "client_ca_tls_container_ref"},
	"client_authentication":       {column: "client_authentication"},
	"client_crl_container_ref":    {column: "client_crl_container_ref"},
	"tls_ciphers":                 {column: "tls_ciphers"},
	"hsts_max_age":                {column: "hsts_max_age", value: integer},
	"hsts_include_subdomains":     {column: "hsts_include_subdomains", value: boolean},
	"hsts_preload":                {column: "hsts_preload", value: boolean},
})

// Listener returns one listener, also while it is wanted deleted, until it is gone. Its policies carry their ids only.
func (s *Store) Listener(ctx context.Context, id string) (*lbaas.Listener, error) {
	row, err := one[listenerRow](ctx, s.read, lbaas.NounListener, id)
	if err != nil {
		return nil, err
	}
	listeners, err := s.listenersWithPolicies(ctx, []listenerRow{*row})
	if err != nil {
		return nil, err
	}
	return listeners[0], nil
}

// Listeners returns those that a query asks for, as Listener does.
func (s *Store) Listeners(ctx context.Context, q Query) ([]*lbaas.Listener, error) {
	rows, err := list[listenerRow](ctx, s.read, q, tableListeners, listenerAttributes)
	if err != nil {
		return nil, fmt.Errorf("list listeners: %w", err)
	}
	return s.listenersWithPolicies(ctx, rows)
}

// listenersWithPolicies asks for both sorts of policies at once: few listeners have any.
func (s *Store) listenersWithPolicies(ctx context.Context, rows []listenerRow) ([]*lbaas.Listener, error) {
	listeners := make([]*lbaas.Listener, len(rows))
	byID := make(map[string]*lbaas.Listener, len(rows))
	ids := make([]string, len(rows))
	for i := range rows {
		listeners[i], ids[i] = rows[i].domain(), rows[i].ID
		byID[ids[i]] = listeners[i]
	}
	for some := range slices.Chunk(ids, idChunk) {
		var policies []struct {
			ID, ListenerID      string
			Limits              bool
			Position, CreatedAt int64 // the order
		}
		err := s.read.NewRaw("SELECT id, listener_id, ? AS limits, position, created_at FROM l7policies WHERE listener_id IN (?)"+
			" UNION ALL SELECT id, listener_id, ?, 0, created_at FROM rate_limit_policies WHERE listener_id IN (?)"+
			" ORDER BY position, created_at, id", false, bun.List(some), true, bun.List(some)).Scan(ctx, &policies)
		if err != nil {
			return nil, fmt.Errorf("read the policies of %d listeners: %w", len(ids), err)
		}
		for _, p := range policies {
			l, id := byID[p.ListenerID], lbaas.Object{ID: p.ID}
			if p.Limits {
				l.RateLimitPolicies = append(l.RateLimitPolicies, &lbaas.RateLimitPolicy{Object: id})
			} else {
				l.L7Policies = append(l.L7Policies, &lbaas.L7Policy{Object: id})
			}
		}
	}
	return listeners, nil
}
