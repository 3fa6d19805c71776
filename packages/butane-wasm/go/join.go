package main

import (
	"bytes"
	"encoding/json"

	"github.com/coreos/vcontext/report"
)

func (s spec[C]) check(raw []byte) (report.Report, error) {
	_, r, err := s.parse(raw)
	return r, err
}

func (s spec[C]) roundTrip(raw []byte) ([]byte, report.Report, error) {
	config, r, err := s.parse(raw)
	if err != nil {
		return nil, r, err
	}
	written, err := writeConfig(config)
	return written, r, err
}

func (s spec[C]) join(parent, child []byte) ([]byte, report.Report, error) {
	p, r, err := s.parse(parent)
	if err != nil {
		return nil, r, err
	}
	c, r, err := s.parseOlder(child)
	if err != nil {
		return nil, r, err
	}
	written, err := writeConfig(s.merge(p, c))
	if err != nil {
		return nil, report.Report{}, err
	}
	// Two valid configs can merge into an invalid one, so the result is parsed again.
	_, r, err = s.parse(written)
	return written, r, err
}

// writeConfig leaves <, > and & as they are: units and scripts stay readable in the output.
func writeConfig(config any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(config); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
