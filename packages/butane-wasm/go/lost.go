package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
)

// firstLost names the first value of the JSON text before that the JSON text after does not hold at
// the same place, or "". Null, "", [] and {} say nothing in Ignition and may go. A key written twice
// is an error: every JSON reader keeps another one of the two.
func firstLost(before, after []byte) (string, error) {
	was, err := decodeStrict(before)
	if err != nil {
		return "", err
	}
	is, err := decodeStrict(after)
	if err != nil {
		return "", err
	}
	return compare("$", was, is), nil
}

func compare(place string, was, is any) string {
	switch w := was.(type) {
	case map[string]any:
		i, _ := is.(map[string]any)
		keys := make([]string, 0, len(w))
		for key := range w {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			if lost := compare(place+"."+key, w[key], i[key]); lost != "" {
				return lost
			}
		}
		return ""
	case []any:
		i, _ := is.([]any)
		for n, item := range w {
			var other any
			if n < len(i) {
				other = i[n]
			}
			if lost := compare(fmt.Sprintf("%s.%d", place, n), item, other); lost != "" {
				return lost
			}
		}
		return ""
	case nil:
		return ""
	case string:
		if w == "" && is == nil {
			return ""
		}
	}
	if was != is {
		return place
	}
	return ""
}

func decodeStrict(raw []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	value, err := decodeValue(decoder, "$")
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the config")
	}
	return value, nil
}

func decodeValue(decoder *json.Decoder, place string) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for decoder.More() {
			name, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			key, _ := name.(string)
			at := place + "." + key
			if _, twice := object[key]; twice {
				return nil, fmt.Errorf("%s twice", at)
			}
			if object[key], err = decodeValue(decoder, at); err != nil {
				return nil, err
			}
		}
		_, err = decoder.Token()
		return object, err
	case json.Delim('['):
		list := []any{}
		for decoder.More() {
			item, err := decodeValue(decoder, fmt.Sprintf("%s.%d", place, len(list)))
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err = decoder.Token()
		return list, err
	}
	return token, nil
}
