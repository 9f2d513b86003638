package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

const maxRecordSize = 300 // bytes, EIP-778

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(tw, "%s\t%s\n", name, value)
		}
	}
	if r.Form == "record" {
		line("record", fmt.Sprintf("sequence number %d, %d of at most %d bytes", r.Seq, r.Size, maxRecordSize))
		line("signature", r.signature())
	} else {
		line("enode URL", "not signed: the address is somebody's word")
	}
	line("node id", r.ID)
	line("public key", r.PublicKey)
	line("hostname", r.Hostname)
	line("tcp", strings.Join(r.TCP, " "))
	line("udp", strings.Join(r.UDP, " "))
	line("quic", strings.Join(r.QUIC, " "))
	line("enode", r.Enode)
	if err := tw.Flush(); err != nil {
		return err
	}
	return r.writeEntries(w)
}

func (r *Report) signature() string {
	if r.Signature == "valid" {
		return fmt.Sprintf("valid (identity scheme %s)", r.Scheme)
	}
	return fmt.Sprintf("INVALID (%s): nothing below can be trusted", r.Problem)
}

func (r *Report) writeEntries(w io.Writer) error {
	if len(r.Entries) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "entries")
	for _, e := range r.Entries {
		meaning := e.Meaning
		if meaning == "" {
			meaning = "unknown key"
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", e.Key, e.Value, meaning)
	}
	return tw.Flush()
}
