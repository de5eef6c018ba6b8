package avi

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"plimsoll/internal/provider/avi/avitest"
	"plimsoll/test/harness"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4") // they wait for one another's programs, most of the time
	os.Exit(harness.Main(m))
}

// configuration has the lines of the driver's documents. The other provider makes nothing.
const configuration = `
[api_settings]
enabled_provider_drivers = noop
[service_providers]
service_provider = LOADBALANCERV2:avi_adc:avi_lbaasv2.avi_driver.AviDriver:default
[avi_adc]
address=%s
user=admin
password="avi123"
cloud=Default-Cloud
ca_file=%s
`

// creating has tenants made that are not there, as an import from Keystone would.
const creating = "create_tenants=True\n"

// world is a server with a controller.
type world struct {
	*harness.Server
	emulator *avitest.Server // nil where it is a process of its own
	address  string
	caFile   string
}

// newWorld starts an emulator in this process, which can do what controllers do wrong, and a server for it.
func newWorld(t testing.TB, o avitest.Options, options string) *world {
	t.Helper()
	w := &world{emulator: avitest.Start(t, o), caFile: filepath.Join(t.TempDir(), "ca.pem")}
	w.address = w.emulator.Address
	if err := os.WriteFile(w.caFile, w.emulator.CertPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	w.serve(t, options)
	return w
}

// newProcesses starts both as programs.
func newProcesses(t testing.TB, options string) *world {
	t.Helper()
	w := &world{caFile: filepath.Join(t.TempDir(), "ca.pem")}
	url := harness.Program(t, []string{"AVI_PASSWORD=avi123"}, "avi-emulator", "--listen", "127.0.0.1:0", "--ca-file", w.caFile)
	w.address = strings.TrimPrefix(url, "https://")
	w.serve(t, options)
	return w
}

func (w *world) serve(t testing.TB, options string) {
	t.Helper()
	w.Server = harness.Start(t, harness.Config(w.text(options)))
}

// text is the configuration, with further options of the controller's section, and further sections.
func (w *world) text(options string) string {
	return fmt.Sprintf(configuration, w.address, w.caFile) + options
}

// tenant is the controller's tenant of a project.
func tenant(projectID string) string { return "tenant-" + uuid.MustParse(projectID).String() }

// configFile writes another configuration for the controller; "" is no authority.
func (w *world) configFile(t testing.TB, password, caFile string) string {
	t.Helper()
	text := strings.Replace(fmt.Sprintf(configuration, w.address, caFile), "avi123", password, 1)
	file := filepath.Join(t.TempDir(), "plimsoll.conf")
	if err := os.WriteFile(file, []byte(strings.Replace(text, "ca_file=\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
