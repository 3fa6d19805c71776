package main

import (
	"github.com/coreos/ignition/v2/config"
	"github.com/coreos/ignition/v2/config/util"
)

// validateConfig says what ignition-validate says. A stable version is parsed as it is, which gives the
// same report as config.Parse without converting the config up to the newest version afterwards: that
// is most of the time on a large config. Everything else (experimental, unknown, broken) goes the long way.
func validateConfig(raw []byte) answer {
	if version, _, err := util.GetConfigVersion(raw); err == nil {
		for _, s := range specs {
			if s.specVersion() == version {
				r, err := s.check(raw)
				return answerFrom(r).withError(err)
			}
		}
	}
	_, r, err := config.Parse(raw)
	return answerFrom(r).withError(err)
}
