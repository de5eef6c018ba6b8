package statedir

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Credentials are how an operator's client reaches the server.
type Credentials struct {
	AuthURL  string // with /v3
	Region   string
	User     string
	Password string
	Project  string
}

// CloudName is the name of the server in clouds.yaml.
const CloudName = "plimsoll"

// WriteCredentials writes openrc and clouds.yaml.
func (d *Dir) WriteCredentials(c Credentials) error {
	if err := d.write(openrcFile, c.openRC()); err != nil {
		return err
	}
	text, err := c.clouds()
	if err != nil {
		return err
	}
	return d.write(cloudsFile, text)
}

func (c Credentials) openRC() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# How the openstack command reaches this server: source %s\n# Written at every start of plimsoll serve.\n", openrcFile)
	for _, v := range [][2]string{
		{"OS_AUTH_URL", c.AuthURL},
		{"OS_IDENTITY_API_VERSION", "3"},
		{"OS_AUTH_TYPE", "password"},
		{"OS_USERNAME", c.User},
		{"OS_PASSWORD", c.Password},
		{"OS_USER_DOMAIN_NAME", "Default"},
		{"OS_PROJECT_NAME", c.Project},
		{"OS_PROJECT_DOMAIN_NAME", "Default"},
		{"OS_REGION_NAME", c.Region},
		{"OS_INTERFACE", "public"},
	} {
		fmt.Fprintf(&b, "export %s=%s\n", v[0], shellQuote(v[1]))
	}
	return b.String()
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (c Credentials) clouds() (string, error) {
	var b bytes.Buffer
	b.WriteString("# How OpenStack clients reach this server: openstack --os-cloud " + CloudName + " …\n# Written at every start of plimsoll serve.\n")
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(map[string]any{"clouds": map[string]any{CloudName: map[string]any{
		"auth": map[string]any{
			"auth_url": c.AuthURL, "username": c.User, "password": c.Password, "user_domain_name": "Default",
			"project_name": c.Project, "project_domain_name": "Default",
		},
		"region_name": c.Region, "interface": "public", "identity_api_version": 3,
	}}})
	return b.String(), err
}
