package main

import (
	"github.com/coreos/vcontext/report"
)

// Failure codes, the same words as ButaneErrorCode on the TypeScript side.
const (
	codeRefused       = "BUTANE_FAILED"
	codeInvalid       = "IGNITION_INVALID"
	codeVersionRaised = "SPEC_VERSION_RAISED"
	codeFieldLost     = "FIELD_LOST"
)

type entry struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Line    int64  `json:"line,omitempty"`
	Column  int64  `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
}

// answer is what crosses to the host: a config, or a code and why there is none; always the report.
type answer struct {
	Ignition string  `json:"ignition,omitempty"`
	Code     string  `json:"code,omitempty"`
	Message  string  `json:"message,omitempty"`
	Entries  []entry `json:"entries"`
	IsFatal  bool    `json:"isFatal"`
}

func answerFrom(r report.Report) answer {
	a := answer{Entries: make([]entry, 0, len(r.Entries)), IsFatal: r.IsFatal()}
	for _, e := range r.Entries {
		line, column := e.Marker.Start()
		place := ""
		if e.Context.Len() > 0 {
			place = e.Context.String()
		}
		a.Entries = append(a.Entries, entry{e.Kind.String(), e.Message, line, column, place})
	}
	return a
}

// withError adds an error that Ignition returned beside its report (wrong version, empty input).
func (a answer) withError(err error) answer {
	if err == nil || a.IsFatal {
		return a
	}
	a.Entries = append(a.Entries, entry{Kind: "error", Message: err.Error()})
	a.IsFatal = true
	return a
}

func (a answer) refused(code, message string) answer {
	a.Code, a.Message, a.IsFatal = code, message, true
	return a
}
