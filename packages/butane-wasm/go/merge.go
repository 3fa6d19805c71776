package main

import (
	"fmt"

	"github.com/coreos/ignition/v2/config/util"
)

// mergeConfigs merges child into parent at the parent's spec version, never at a newer one: the
// Ignition inside the live system reads the parent's version and may read no later one.
func mergeConfigs(parent, child []byte) answer {
	into, refusal := specOf(parent, "parent")
	if into == nil {
		return refusal
	}
	from, refusal := specOf(child, "child")
	if from == nil {
		return refusal
	}
	want, got := into.specVersion(), from.specVersion()
	if want.LessThan(got) {
		return answer{Entries: []entry{}}.refused(codeVersionRaised, fmt.Sprintf(
			"the child is Ignition spec %s and the parent %s: merging would raise the parent's version; write the child for %s or older",
			got, want, want))
	}
	for _, side := range []struct {
		name string
		raw  []byte
		spec merger
	}{{"parent", parent, into}, {"child", child, from}} {
		written, r, err := side.spec.roundTrip(side.raw)
		if err != nil {
			return answerFrom(r).withError(err).refused(codeInvalid, fmt.Sprintf("the %s is not a valid Ignition %s config: %v", side.name, side.spec.specVersion(), err))
		}
		if lost, err := firstLost(side.raw, written); err != nil || lost != "" {
			return answerFrom(r).refused(codeFieldLost, fmt.Sprintf("the %s has %s, which Ignition spec %s does not know or keep: merging would lose it", side.name, orError(lost, err), side.spec.specVersion()))
		}
	}
	written, r, err := into.join(parent, child)
	if err != nil {
		return answerFrom(r).withError(err).refused(codeInvalid, fmt.Sprintf("the merged config is not valid at Ignition %s: %v", want, err))
	}
	a := answerFrom(r)
	a.Ignition = string(written)
	return a
}

func orError(lost string, err error) string {
	if err != nil {
		return err.Error()
	}
	return lost
}

func specOf(raw []byte, side string) (merger, answer) {
	version, r, err := util.GetConfigVersion(raw)
	if err != nil {
		return nil, answerFrom(r).withError(err).refused(codeInvalid, fmt.Sprintf("the %s is not an Ignition config: %v", side, err))
	}
	for _, s := range specs {
		if s.specVersion() == version {
			return s, answer{}
		}
	}
	first, last := specs[0].specVersion(), specs[len(specs)-1].specVersion()
	return nil, answer{Entries: []entry{}}.refused(codeInvalid, fmt.Sprintf("the %s is Ignition spec %s: want %s to %s", side, version, first, last))
}
