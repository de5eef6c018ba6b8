package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// demoReport is what the demo's client saw. It comes as JSON from the client's process.
type demoReport struct {
	Answers map[string]int // by what the answer said
	Failed  int
	Error   string // of one that failed
	Seconds float64
	Median  float64 // milliseconds
	P99     float64 // milliseconds
}

// send runs the client in its namespace.
func (d *demo) send(ctx context.Context) (demoReport, error) {
	var report demoReport
	cmd := exec.CommandContext(ctx, d.self, "demo-client", "--url", "http://"+d.balancer.vip+"/",
		"--count", strconv.Itoa(demoRequests), "--workers", strconv.Itoa(demoWorkers))
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := startIn(d.client.netns, cmd); err != nil {
		return report, err
	}
	if err := cmd.Wait(); err != nil {
		return report, fmt.Errorf("%w: %s", err, problem.String())
	}
	return report, json.Unmarshal(out.Bytes(), &report)
}

// demoWebCommand is a member of the demo: it answers every request with its name.
func demoWebCommand() *cobra.Command {
	var address, name string
	cmd := &cobra.Command{
		Use: "demo-web", Hidden: true, Args: arguments(cobra.NoArgs),
		Short: "Answer every request with a name; the demo starts it in a namespace",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", address)
			if err != nil {
				return err
			}
			server := &http.Server{
				ReadHeaderTimeout: 10 * time.Second,
				Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/plain; charset=utf-8")
					_, _ = io.WriteString(w, name+"\n")
				}),
			}
			context.AfterFunc(cmd.Context(), func() { _ = server.Close() })
			fmt.Fprintln(cmd.OutOrStdout(), "ready")
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "listen", "127.0.0.1:8080", "the address to serve on")
	cmd.Flags().StringVar(&name, "name", "web", "the answer")
	return cmd
}

// demoClientCommand is the client of the demo.
func demoClientCommand() *cobra.Command {
	var url string
	var count, workers int
	cmd := &cobra.Command{
		Use: "demo-client", Hidden: true, Args: arguments(cobra.NoArgs),
		Short: "Send requests, each over a connection of its own, and tell who answered; the demo starts it in a namespace",
		RunE: func(cmd *cobra.Command, _ []string) error {
			report := sendRequests(cmd.Context(), url, count, workers)
			return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "where to send the requests")
	cmd.Flags().IntVar(&count, "count", demoRequests, "how many")
	cmd.Flags().IntVar(&workers, "workers", demoWorkers, "how many at a time")
	return cmd
}

func sendRequests(ctx context.Context, url string, count, workers int) demoReport {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	report := demoReport{Answers: map[string]int{}}
	var mu sync.Mutex
	var times []time.Duration
	note := func(answer string, took time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			report.Failed++
			report.Error = err.Error()
			return
		}
		report.Answers[answer]++
		times = append(times, took)
	}
	turns := make(chan struct{}, count)
	for range count {
		turns <- struct{}{}
	}
	close(turns)
	began := time.Now()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range turns {
				start := time.Now()
				answer, err := fetch(ctx, client, url)
				note(answer, time.Since(start), err)
			}
		})
	}
	wg.Wait()
	report.Seconds = time.Since(began).Seconds()
	report.Median, report.P99 = percentile(times, 0.5), percentile(times, 0.99)
	return report
}

// fetch returns the first line of an answer.
func fetch(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the answer is %s", resp.Status)
	}
	line, _, _ := strings.Cut(string(body), "\n")
	return line, nil
}

// percentile is in milliseconds.
func percentile(times []time.Duration, share float64) float64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	at := min(int(share*float64(len(times))), len(times)-1)
	return float64(times[at].Microseconds()) / 1000
}
