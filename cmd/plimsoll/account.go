package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"go.yaml.in/yaml/v3"

	"plimsoll/internal/statedir"
)

// account is who talks to which server. Its form is that of a cloud in clouds.yaml.
type account struct {
	Auth struct {
		AuthURL           string `yaml:"auth_url"`
		Username          string `yaml:"username"`
		UserID            string `yaml:"user_id"`
		Password          string `yaml:"password"`
		UserDomainName    string `yaml:"user_domain_name"`
		UserDomainID      string `yaml:"user_domain_id"`
		ProjectName       string `yaml:"project_name"`
		ProjectID         string `yaml:"project_id"`
		ProjectDomainName string `yaml:"project_domain_name"`
		ProjectDomainID   string `yaml:"project_domain_id"`
		ApplicationID     string `yaml:"application_credential_id"`
		ApplicationSecret string `yaml:"application_credential_secret"`
	} `yaml:"auth"`
	Region string `yaml:"region_name"`
}

// findAccount looks where OpenStack's own client looks: the OS_* variables first, then clouds.yaml for the cloud OS_CLOUD. When
// neither names a server, the state directory of this host does.
func findAccount(getenv func(string) string, stateDir string) (account, error) {
	if cloud := getenv("OS_CLOUD"); cloud != "" {
		return cloudAccount(cloudFiles(getenv, stateDir), cloud)
	}
	if getenv("OS_AUTH_URL") != "" {
		return environmentAccount(getenv), nil
	}
	a, err := cloudAccount([]string{filepath.Join(stateDir, "clouds.yaml")}, statedir.CloudName)
	if err != nil {
		return account{}, fmt.Errorf("no server is named: source the openrc of its state directory, or set OS_CLOUD (%w)", err)
	}
	return a, nil
}

func environmentAccount(getenv func(string) string) account {
	var a account
	a.Auth.AuthURL = getenv("OS_AUTH_URL")
	a.Auth.Username = getenv("OS_USERNAME")
	a.Auth.UserID = getenv("OS_USER_ID")
	a.Auth.Password = getenv("OS_PASSWORD")
	a.Auth.UserDomainName = getenv("OS_USER_DOMAIN_NAME")
	a.Auth.UserDomainID = getenv("OS_USER_DOMAIN_ID")
	a.Auth.ProjectName = getenv("OS_PROJECT_NAME")
	a.Auth.ProjectID = getenv("OS_PROJECT_ID")
	a.Auth.ProjectDomainName = getenv("OS_PROJECT_DOMAIN_NAME")
	a.Auth.ProjectDomainID = getenv("OS_PROJECT_DOMAIN_ID")
	a.Auth.ApplicationID = getenv("OS_APPLICATION_CREDENTIAL_ID")
	a.Auth.ApplicationSecret = getenv("OS_APPLICATION_CREDENTIAL_SECRET")
	a.Region = getenv("OS_REGION_NAME")
	return a
}

// cloudFiles are the places of clouds.yaml, the first that is there counts.
func cloudFiles(getenv func(string) string, stateDir string) []string {
	if file := getenv("OS_CLIENT_CONFIG_FILE"); file != "" {
		return []string{file}
	}
	user := cmp.Or(getenv("XDG_CONFIG_HOME"), filepath.Join(getenv("HOME"), ".config"))
	return []string{
		"clouds.yaml",
		filepath.Join(user, "openstack", "clouds.yaml"),
		"/etc/openstack/clouds.yaml",
		filepath.Join(stateDir, "clouds.yaml"),
	}
}

func cloudAccount(files []string, cloud string) (account, error) {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return account{}, err
		}
		var content struct {
			Clouds map[string]account `yaml:"clouds"`
		}
		if err := yaml.Unmarshal(data, &content); err != nil {
			return account{}, fmt.Errorf("read %s: %w", file, err)
		}
		if a, ok := content.Clouds[cloud]; ok {
			return a, nil
		}
		return account{}, fmt.Errorf("%s has no cloud %q", file, cloud)
	}
	return account{}, fmt.Errorf("there is no %s", files[len(files)-1])
}

func (a account) options() gophercloud.AuthOptions {
	o := gophercloud.AuthOptions{
		IdentityEndpoint: a.Auth.AuthURL, Username: a.Auth.Username, UserID: a.Auth.UserID, Password: a.Auth.Password,
		ApplicationCredentialID: a.Auth.ApplicationID, ApplicationCredentialSecret: a.Auth.ApplicationSecret,
		AllowReauth: true,
	}
	if a.Auth.ApplicationID != "" {
		return o
	}
	if a.Auth.UserID == "" {
		o.DomainName, o.DomainID = a.Auth.UserDomainName, a.Auth.UserDomainID
		if o.DomainName == "" && o.DomainID == "" {
			o.DomainID = "default"
		}
	}
	o.Scope = &gophercloud.AuthScope{ProjectID: a.Auth.ProjectID}
	if a.Auth.ProjectID == "" {
		o.Scope.ProjectName = a.Auth.ProjectName
		o.Scope.DomainName, o.Scope.DomainID = a.Auth.ProjectDomainName, a.Auth.ProjectDomainID
		if o.Scope.DomainName == "" && o.Scope.DomainID == "" {
			o.Scope.DomainID = "default"
		}
	}
	return o
}

// clients are the services of a server.
type clients struct {
	network      *gophercloud.ServiceClient
	loadBalancer *gophercloud.ServiceClient
}

// connect logs in.
func (a account) connect(ctx context.Context) (*clients, error) {
	provider, err := openstack.AuthenticatedClient(ctx, a.options())
	if err != nil {
		return nil, fmt.Errorf("log in at %s: %w", a.Auth.AuthURL, err)
	}
	endpoint := gophercloud.EndpointOpts{Region: a.Region}
	network, err := openstack.NewNetworkV2(provider, endpoint)
	if err != nil {
		return nil, fmt.Errorf("find the network service: %w", err)
	}
	loadBalancer, err := openstack.NewLoadBalancerV2(provider, endpoint)
	if err != nil {
		return nil, fmt.Errorf("find the load-balancing service: %w", err)
	}
	return &clients{network: network, loadBalancer: loadBalancer}, nil
}
