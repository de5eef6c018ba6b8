package barbican

import (
	"net/http"

	"plimsoll/internal/web"
)

// row is one line of the tables below: a method and a path under /v1, the policy rule, what the request is called in faults, and the
// handler.
type row struct {
	method, path, rule, operation string
	handle                        handler
}

const (
	get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete

	oneSecret    = "/secrets/{secret}"
	oneContainer = "/containers/{container}"
)

func (a *API) secretRows() []row {
	return []row{
		{get, "/secrets", "secrets:get", "Secret(s) retrieval", a.listSecrets},
		{post, "/secrets", "secrets:post", "Secret creation", a.createSecret},
		{get, oneSecret, "secret:get", "Secret retrieval", a.ofSecret(a.showSecret)},
		{put, oneSecret, "secret:put", "Secret update", a.ofSecret(a.updateSecret)},
		{del, oneSecret, "secret:delete", "Secret deletion", a.ofSecret(a.deleteSecret)},
		{get, oneSecret + "/payload", "secret:decrypt", "Secret payload retrieval", a.ofSecret(a.showPayload)},

		{get, oneSecret + "/metadata", "secret_meta:get", "Secret metadata retrieval", a.ofSecret(a.showMetadata)},
		{put, oneSecret + "/metadata", "secret_meta:put", "Secret metadata creation", a.ofSecret(a.replaceMetadata)},
		{post, oneSecret + "/metadata", "secret_meta:post", "Secret metadatum creation", a.ofSecret(a.addMetadatum)},
		{get, oneSecret + "/metadata/{key}", "secret_meta:get", "Secret metadatum retrieval", a.ofSecret(a.showMetadatum)},
		{put, oneSecret + "/metadata/{key}", "secret_meta:put", "Secret metadatum update", a.ofSecret(a.updateMetadatum)},
		{del, oneSecret + "/metadata/{key}", "secret_meta:delete", "Secret metadatum removal", a.ofSecret(a.deleteMetadatum)},

		{get, oneSecret + "/acl", "secret_acls:get", "SecretACL(s) retrieval", a.ofSecret(a.showSecretACL)},
		{put, oneSecret + "/acl", "secret_acls:put_patch", "SecretACL(s) Update", a.ofSecret(a.replaceSecretACL)},
		{patch, oneSecret + "/acl", "secret_acls:put_patch", "SecretACL(s) Update", a.ofSecret(a.patchSecretACL)},
		{del, oneSecret + "/acl", "secret_acls:delete", "SecretACL(s) deletion", a.ofSecret(a.deleteSecretACL)},

		{get, oneSecret + "/consumers", "secret_consumers:get", "SecretConsumers(s) retrieval", a.ofSecret(a.listSecretConsumers)},
		{post, oneSecret + "/consumers", "secret_consumers:post", "SecretConsumer creation", a.ofSecret(a.addSecretConsumer)},
		{del, oneSecret + "/consumers", "secret_consumers:delete", "SecretConsumer deletion", a.ofSecret(a.deleteSecretConsumer)},
	}
}

func (a *API) containerRows() []row {
	return []row{
		{get, "/containers", "containers:get", "Containers(s) retrieval", a.listContainers},
		{post, "/containers", "containers:post", "Container creation", a.createContainer},
		{get, oneContainer, "container:get", "Container retrieval", a.ofContainer(a.showContainer)},
		{del, oneContainer, "container:delete", "Container deletion", a.ofContainer(a.deleteContainer)},
		{post, oneContainer + "/secrets", "container_secret:post", "Container Secret creation", a.ofContainer(a.addToContainer)},
		{del, oneContainer + "/secrets", "container_secret:delete", "Container Secret deletion", a.ofContainer(a.removeFromContainer)},

		{get, oneContainer + "/acl", "container_acls:get", "ContainerACL(s) retrieval", a.ofContainer(a.showContainerACL)},
		{put, oneContainer + "/acl", "container_acls:put_patch", "ContainerACL(s) Update", a.ofContainer(a.replaceContainerACL)},
		{patch, oneContainer + "/acl", "container_acls:put_patch", "ContainerACL(s) Update", a.ofContainer(a.patchContainerACL)},
		{del, oneContainer + "/acl", "container_acls:delete", "ContainerACL(s) deletion", a.ofContainer(a.deleteContainerACL)},

		{get, oneContainer + "/consumers", "container_consumers:get", "ContainerConsumers(s) retrieval", a.ofContainer(a.listContainerConsumers)},
		{post, oneContainer + "/consumers", "container_consumers:post", "ContainerConsumer creation", a.ofContainer(a.addContainerConsumer)},
		{del, oneContainer + "/consumers", "container_consumers:delete", "ContainerConsumer deletion", a.ofContainer(a.deleteContainerConsumer)},
	}
}

// lacking are Barbican's further nouns: they need plugins or workers that stand behind it, and there are none here.
var lacking = []string{"orders", "cas", "transport_keys", "secret-stores", "quotas", "project-quotas"}

func (a *API) lackingRows() []row {
	var rows []row
	for _, noun := range lacking {
		for _, path := range []string{"/" + noun, "/" + noun + "/{rest...}"} {
			for _, method := range []string{get, post, put, patch, del} {
				rows = append(rows, row{method, path, "", noun, lacks})
			}
		}
	}
	return rows
}

func (a *API) routes() []web.Route {
	routes := []web.Route{
		{Method: get, Path: "/{$}", Open: true, Handle: a.handle(row{handle: a.versions})},
		{Method: get, Path: "/v1", Open: true, Handle: a.handle(row{handle: a.version})},
	}
	for _, rows := range [][]row{a.secretRows(), a.containerRows(), a.lackingRows()} {
		for _, r := range rows {
			routes = append(routes, web.Route{Method: r.method, Path: "/v1" + r.path, Rule: r.rule, Handle: a.handle(r)})
		}
	}
	return routes
}
