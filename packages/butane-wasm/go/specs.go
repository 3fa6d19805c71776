package main

import (
	"github.com/coreos/ignition/v2/config/v3_0"
	types0 "github.com/coreos/ignition/v2/config/v3_0/types"
	"github.com/coreos/ignition/v2/config/v3_1"
	types1 "github.com/coreos/ignition/v2/config/v3_1/types"
	"github.com/coreos/ignition/v2/config/v3_2"
	types2 "github.com/coreos/ignition/v2/config/v3_2/types"
	"github.com/coreos/ignition/v2/config/v3_3"
	types3 "github.com/coreos/ignition/v2/config/v3_3/types"
	"github.com/coreos/ignition/v2/config/v3_4"
	types4 "github.com/coreos/ignition/v2/config/v3_4/types"
	"github.com/coreos/ignition/v2/config/v3_5"
	types5 "github.com/coreos/ignition/v2/config/v3_5/types"

	"github.com/coreos/go-semver/semver"
	"github.com/coreos/vcontext/report"
)

// spec is one stable Ignition spec version: its own types, so nothing is written at another version.
type spec[C any] struct {
	version    semver.Version
	parse      func([]byte) (C, report.Report, error)
	parseOlder func([]byte) (C, report.Report, error)
	merge      func(parent, child C) C
}

// merger hides the config type of a spec so that the versions fit in one table.
type merger interface {
	specVersion() semver.Version
	// check parses raw at exactly this version for its report alone.
	check(raw []byte) (report.Report, error)
	// roundTrip parses raw at exactly this version and writes it again.
	roundTrip(raw []byte) ([]byte, report.Report, error)
	// join merges child, of this version or an older one, into parent, of this version.
	join(parent, child []byte) ([]byte, report.Report, error)
}

var specs = []merger{
	spec[types0.Config]{types0.MaxVersion, v3_0.Parse, v3_0.ParseCompatibleVersion, v3_0.Merge},
	spec[types1.Config]{types1.MaxVersion, v3_1.Parse, v3_1.ParseCompatibleVersion, v3_1.Merge},
	spec[types2.Config]{types2.MaxVersion, v3_2.Parse, v3_2.ParseCompatibleVersion, v3_2.Merge},
	spec[types3.Config]{types3.MaxVersion, v3_3.Parse, v3_3.ParseCompatibleVersion, v3_3.Merge},
	spec[types4.Config]{types4.MaxVersion, v3_4.Parse, v3_4.ParseCompatibleVersion, v3_4.Merge},
	spec[types5.Config]{types5.MaxVersion, v3_5.Parse, v3_5.ParseCompatibleVersion, v3_5.Merge},
}

func (s spec[C]) specVersion() semver.Version { return s.version }
