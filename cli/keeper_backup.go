package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gregor-mq/gregor/internal/env"
)

// adminSite is a keeper, or an Apache ZooKeeper, that takes commands over HTTP.
type adminSite struct {
	server, url, auth string
}

func (s *adminSite) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.server, "server", "127.0.0.1:8080", "where it takes commands over HTTP (admin.serverPort)")
	f.StringVar(&s.url, "command-url", "/commands", "its admin.commandURL")
	f.StringVar(&s.auth, "auth", "ip", "who asks: ip, or digest:user:password of one who has all permissions on /")
}

// keeperBackupCommand fetches a snapshot of a running keeper.
func (p Program) keeperBackupCommand() *cobra.Command {
	var site adminSite
	var to string
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Fetch a snapshot of a keeper that runs, in ZooKeeper's format",
		Long: "Fetch a snapshot of a keeper that runs, or of an Apache ZooKeeper from 3.9 on, in ZooKeeper's format.\n" +
			"All that was written when it was asked for is in it. What is at FILE already is replaced when the snapshot is whole.",
		Example: "  gregor keeper backup --server 127.0.0.1:8080 --to snapshot.backup\n" +
			"  gregor keeper backup --auth digest:admin:secret --to snapshot.backup",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			zxid, size, err := p.fetchBackup(cmd.Context(), &site, to)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.Out, "%s: %d bytes, up to transaction %s\n", to, size, zxid)
			return nil
		},
	}
	site.flags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "the file that is written")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// keeperRestoreCommand puts a snapshot in the place of what a running keeper has.
func (p Program) keeperRestoreCommand() *cobra.Command {
	var site adminSite
	var from string
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "Put a snapshot in the place of all that a running keeper has",
		Long: "Put a snapshot in ZooKeeper's format in the place of all that a running keeper has.\n" +
			"In an ensemble it goes to the leader and reaches all members from there. All sessions end; the list of members stays.",
		Example: "  gregor keeper restore --server 127.0.0.1:8080 --from snapshot.backup",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			zxid, err := p.sendBackup(cmd.Context(), &site, from)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.Out, "%s is restored; transactions go on behind 0x%x\n", from, zxid)
			return nil
		},
	}
	site.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "the file with the snapshot")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

// command gives a command; the answer is to be closed.
func (p Program) command(ctx context.Context, s *adminSite, method, name string, body io.Reader) (*http.Response, error) {
	url := fmt.Sprintf("http://%s/%s/%s", s.server, strings.Trim(s.url, "/"), name)
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, fmt.Errorf("--server %s: %w", s.server, err)
	}
	scheme, proof, _ := strings.Cut(s.auth, ":")
	r.Header.Set("Authorization", strings.TrimSpace(scheme+" "+proof))
	client := http.Client{Transport: &http.Transport{DialContext: p.Env.Net.Dial, DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("--server %s: %w", s.server, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, fmt.Errorf("--server %s: %w", s.server, refusal(resp))
	}
	return resp, nil
}

// commandAnswer is what commands say in JSON.
type commandAnswer struct {
	Error string `json:"error"`
	Zxid  int64  `json:"last_zxid"`
}

func readAnswer(r io.Reader) (commandAnswer, error) {
	const most = 1 << 20
	var a commandAnswer
	err := json.NewDecoder(io.LimitReader(r, most)).Decode(&a)
	return a, err
}

// refusal tells why a command was not carried out.
func refusal(resp *http.Response) error {
	a, err := readAnswer(resp.Body)
	why := map[int]string{
		http.StatusServiceUnavailable: "the command is turned off there (admin.snapshot.enabled, admin.restore.enabled)",
		http.StatusTooManyRequests:    "the command was given a while ago already (admin.rateLimiterIntervalInMS)",
		http.StatusNotFound:           "there are no commands at this path (--command-url)",
		http.StatusUnauthorized:       "--auth proves nothing",
		http.StatusForbidden:          "--auth must be of one who has all permissions on /",
	}[resp.StatusCode]
	if err == nil && a.Error != "" {
		why = strings.TrimSuffix(a.Error+": "+why, ": ")
	}
	return fmt.Errorf("%s: %s", resp.Status, cmp.Or(why, "its log says why"))
}

var errNoSnapshot = errors.New("what came is no snapshot of ZooKeeper")

// fetchBackup writes a snapshot to a file.
func (p Program) fetchBackup(ctx context.Context, s *adminSite, to string) (zxid string, size int64, err error) {
	resp, err := p.command(ctx, s, http.MethodGet, "snapshot?streaming=true", nil)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") != "application/octet-stream" {
		a, err := readAnswer(resp.Body)
		if err == nil && a.Error != "" {
			err = errors.New(a.Error)
		}
		return "", 0, fmt.Errorf("--server %s: %w", s.server, cmp.Or(err, errNoSnapshot))
	}
	name := to + ".tmp"
	f, err := p.Env.FS.Open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", 0, fmt.Errorf("--to: %w", err)
	}
	size, err = io.Copy(io.NewOffsetWriter(f, 0), resp.Body)
	if err == nil {
		err = wholeSnapshot(f, size, resp.Header.Get("snapshot_size"))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = p.Env.FS.Rename(name, to)
	}
	if err != nil {
		return "", 0, errors.Join(fmt.Errorf("--to %s: %w", to, err), p.Env.FS.Remove(name))
	}
	return resp.Header.Get("last_zxid"), size, p.Env.FS.SyncDir(filepath.Dir(to))
}

// wholeSnapshot checks that what came has the size that was told and begins as a
// snapshot does.
func wholeSnapshot(f env.File, size int64, told string) error {
	if told != fmt.Sprint(size) {
		return fmt.Errorf("%d bytes came of %s", size, told)
	}
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil || string(magic) != "ZKSN" {
		return errNoSnapshot
	}
	return nil
}

// sendBackup restores a file.
func (p Program) sendBackup(ctx context.Context, s *adminSite, from string) (zxid int64, err error) {
	f, err := p.Env.FS.Open(from, os.O_RDONLY, 0)
	if err != nil {
		return 0, fmt.Errorf("--from: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, fmt.Errorf("--from: %w", err)
	}
	resp, err := p.command(ctx, s, http.MethodPost, "restore", io.NewSectionReader(f, 0, size))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	a, err := readAnswer(resp.Body)
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		return 0, fmt.Errorf("--server %s: %w", s.server, err)
	}
	return a.Zxid, nil
}
