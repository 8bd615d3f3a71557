/* settings.h - the flat JSON object that allocator_plugin.init receives, without a JSON library.
 *
 * Purpose: walks {"NAME": "text" or number or true or false, ...}.
 * Boundary: plugins only; no memory is allocated, because an allocator is about to be set up.
 * Invariants: no escapes inside strings and no nested values: EINVAL. true and false are handed on
 * as "1" and "0".
 */
#ifndef PLUGINS_SETTINGS_H_
#define PLUGINS_SETTINGS_H_

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Returns 0 or an errno value, which stops the walk. */
typedef int (*plugin_setting_fn)(const char *name, const char *value);

enum { PLUGIN_SETTING_BYTES = 512 }; /* longest name or value (paths too), NUL included */

static inline const char *plugin_skip_space(const char *at) { return at + strspn(at, " \t\r\n"); }

/* Copies the string or bare word at *at to `text` and moves *at behind it. */
static inline int plugin_read_text(const char **at, char text[PLUGIN_SETTING_BYTES]) {
  const int quoted = **at == '"';
  const char *const begin = *at + quoted;
  const size_t length = strcspn(begin, quoted ? "\"\\" : ",} \t\r\n\"{[");
  if (length >= PLUGIN_SETTING_BYTES || (quoted ? begin[length] != '"' : length == 0))
    return EINVAL;
  memcpy(text, begin, length);
  text[length] = '\0';
  *at = begin + length + quoted;
  return 0;
}

static inline int plugin_for_each_setting(const char *json, plugin_setting_fn apply) {
  const char *at = plugin_skip_space(json);
  if (*at++ != '{') return EINVAL;
  at = plugin_skip_space(at);
  while (*at != '}') {
    char name[PLUGIN_SETTING_BYTES];
    char value[PLUGIN_SETTING_BYTES];
    if (*at != '"' || plugin_read_text(&at, name) != 0) return EINVAL;
    at = plugin_skip_space(at);
    if (*at++ != ':') return EINVAL;
    at = plugin_skip_space(at);
    const int bare = *at != '"';
    if (plugin_read_text(&at, value) != 0) return EINVAL;
    if (bare && strcmp(value, "true") == 0) strcpy(value, "1");
    if (bare && strcmp(value, "false") == 0) strcpy(value, "0");
    const int error = apply(name, value);
    if (error != 0) return error;
    at = plugin_skip_space(at);
    if (*at == ',') {
      at = plugin_skip_space(at + 1);
      if (*at == '}') return EINVAL;
    } else if (*at != '}') {
      return EINVAL;
    }
  }
  return *plugin_skip_space(at + 1) == '\0' ? 0 : EINVAL;
}

/* For plugins that take no settings: one that can't be honoured is refused, not ignored. */
static inline int plugin_refuse_setting(const char *name, const char *value) {
  (void)name;
  (void)value;
  return ENOTSUP;
}

static inline int plugin_init_without_settings(const char *config_json) {
  return plugin_for_each_setting(config_json, plugin_refuse_setting);
}

#endif /* PLUGINS_SETTINGS_H_ */
