/* SPDX-License-Identifier: MIT */
/*
 * multipart/form-data (RFC 7578) on the grammar of RFC 2046 section 5.1.1. The body is searched for
 * its delimiters first; what lies between two of them is a part: headers, an empty line, the value.
 *
 * Invariant: every byte is looked at a fixed number of times, whatever the body holds.
 */

#include <string.h>

#include "hosts/haproxy/form_parts.h"
#include "hosts/haproxy/media_type.h"
#include "src/base/span.h"

/* RFC 2046 section 5.1.1. */
#define BOUNDARY_SIZE_MAX 70

struct multipart {
    air_span rest;                            /* what is not read yet */
    uint8_t delimiter[4 + BOUNDARY_SIZE_MAX]; /* CR LF "--" boundary */
    size_t delimiter_size;
    size_t ordinal; /* of the part that is being read, from 1 */
    struct air_form *form;
    struct air_refusal *refusal;
};

/* What a part's headers say. */
struct part {
    bool has_disposition;
    bool has_name;
    bool has_filename;
    bool has_extended; /* filename* */
    struct air_form_field field;
};

static enum air_error read_boundary(struct multipart *multipart, air_span parameters);
static bool is_boundary(air_span text);
static enum air_error find_first(struct multipart *multipart);
static size_t find_delimiter(const struct multipart *multipart);
static enum air_error read_delimiter_end(struct multipart *multipart, bool *is_last);
static enum air_error read_part(struct multipart *multipart, air_span text);
static bool cut_header(air_span *rest, air_span *header);
static bool is_clean(air_span header);
static enum air_error read_header(struct multipart *multipart, air_span header, struct part *part);
static enum air_error read_disposition(
    struct multipart *multipart, air_span value, struct part *part);
static enum air_error read_parameter(
    struct multipart *multipart, const struct air_parameter *parameter, struct part *part);
static enum air_error read_filename(
    struct multipart *multipart, const struct air_parameter *parameter, struct part *part);
static enum air_error refuse_part(
    const struct multipart *multipart, enum air_error error, const char *what);

enum air_error air_form_read_multipart(
    air_span parameters, air_span body, struct air_form *form, struct air_refusal *refusal) {
    struct multipart multipart = {.rest = body, .form = form, .refusal = refusal};
    enum air_error error = read_boundary(&multipart, parameters);
    if (error == AIR_OK) {
        error = find_first(&multipart);
    }
    bool is_last = false;
    while (error == AIR_OK) {
        error = read_delimiter_end(&multipart, &is_last);
        if (error != AIR_OK || is_last) {
            return error;
        }
        multipart.ordinal++;
        size_t size = find_delimiter(&multipart);
        if (size == multipart.rest.size) {
            return refuse_part(&multipart, AIR_ERR_MALFORMED,
                "is not followed by the boundary: the body was cut off, or its lines do not end in "
                "CR LF");
        }
        air_span text = air_span_take(multipart.rest, size);
        multipart.rest = air_span_skip(multipart.rest, size + multipart.delimiter_size);
        error = read_part(&multipart, text);
    }
    return error;
}

static enum air_error read_boundary(struct multipart *multipart, air_span parameters) {
    struct air_parameter parameter;
    air_span boundary = air_span_of(NULL, 0);
    enum air_error error = AIR_OK;
    while ((error = air_parameter_next(&parameters, &parameter)) == AIR_OK) {
        if (!air_span_equal_nocase(parameter.name, air_span_text("boundary"))) {
            continue;
        }
        if (boundary.data != NULL) {
            return air_refusal_set(
                multipart->refusal, AIR_ERR_MALFORMED, "the Content-Type has two boundaries");
        }
        boundary = parameter.value;
    }
    if (error == AIR_ERR_MALFORMED || (boundary.data != NULL && !is_boundary(boundary))) {
        return air_refusal_set(multipart->refusal, AIR_ERR_MALFORMED,
            "the Content-Type or its boundary is malformed (RFC 2046 section 5.1.1)");
    }
    if (boundary.data == NULL) {
        return air_refusal_set(
            multipart->refusal, AIR_ERR_MALFORMED, "the Content-Type has no boundary");
    }
    memcpy(multipart->delimiter, "\r\n--", 4);
    memcpy(multipart->delimiter + 4, boundary.data, boundary.size);
    multipart->delimiter_size = 4 + boundary.size;
    return AIR_OK;
}

/* RFC 2046 section 5.1.1: 1 to 70 of these, the last no space. */
static bool is_boundary(air_span text) {
    static const air_span others = {(const uint8_t *)"'()+_,-./:=? ", 13};
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool is_alphanumeric = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                               (byte >= '0' && byte <= '9');
        if (!is_alphanumeric && air_span_find(others, byte) == others.size) {
            return false;
        }
    }
    return text.size > 0 && text.size <= BOUNDARY_SIZE_MAX && text.data[text.size - 1] != ' ';
}

/* Pass over the preamble and the first delimiter, which needs no CR LF before it at the start. */
static enum air_error find_first(struct multipart *multipart) {
    air_span at_start = air_span_of(multipart->delimiter + 2, multipart->delimiter_size - 2);
    if (air_span_equal(air_span_take(multipart->rest, at_start.size), at_start)) {
        multipart->rest = air_span_skip(multipart->rest, at_start.size);
        return AIR_OK;
    }
    size_t size = find_delimiter(multipart);
    if (size == multipart->rest.size) {
        return air_refusal_set(multipart->refusal, AIR_ERR_MALFORMED,
            "the body does not have the boundary that the Content-Type announces");
    }
    multipart->rest = air_span_skip(multipart->rest, size + multipart->delimiter_size);
    return AIR_OK;
}

/* Where the next delimiter begins, or the size of the rest. */
static size_t find_delimiter(const struct multipart *multipart) {
    if (multipart->rest.size == 0) {
        return 0;
    }
    const uint8_t *found = memmem(multipart->rest.data, multipart->rest.size, multipart->delimiter,
        multipart->delimiter_size);
    return found == NULL ? multipart->rest.size : (size_t)(found - multipart->rest.data);
}

/* Behind a delimiter: "--" on the last one, white space, the end of the line. */
static enum air_error read_delimiter_end(struct multipart *multipart, bool *is_last) {
    air_span rest = multipart->rest;
    *is_last = air_span_starts_with(rest, "--");
    if (*is_last) {
        rest = air_span_skip(rest, 2);
    }
    while (rest.size > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t')) {
        rest = air_span_skip(rest, 1);
    }
    if (air_span_starts_with(rest, "\r\n") || (*is_last && rest.size == 0)) {
        multipart->rest = air_span_skip(rest, 2);
        return AIR_OK;
    }
    bool is_line_feed = rest.size > 0 && rest.data[0] == '\n';
    return air_refusal_set(multipart->refusal, AIR_ERR_MALFORMED,
        is_line_feed ? "lines of a multipart form end in CR LF, here one with the boundary ends in "
                       "LF alone (behind part %zu)"
                     : "behind part %zu a line begins with the boundary and goes on otherwise",
        multipart->ordinal);
}

static enum air_error read_part(struct multipart *multipart, air_span text) {
    struct part part = {.has_disposition = false};
    air_span rest = text;
    air_span header;
    while (cut_header(&rest, &header)) {
        if (text.size - rest.size > AIR_FORM_HEADERS_SIZE_MAX) {
            return refuse_part(multipart, AIR_ERR_LIMIT, "has too many or too long headers");
        }
        if (header.size == 0) {
            break;
        }
        enum air_error error = read_header(multipart, header, &part);
        if (error != AIR_OK) {
            return error;
        }
    }
    if (header.data == NULL) {
        return refuse_part(
            multipart, AIR_ERR_MALFORMED, "has no empty line between its headers and its value");
    }
    if (!part.has_disposition) {
        return refuse_part(multipart, AIR_ERR_MALFORMED, "has no Content-Disposition");
    }
    if (!part.has_name) {
        return refuse_part(multipart, AIR_ERR_MALFORMED, "has no name in its Content-Disposition");
    }
    part.field.value = rest;
    return air_form_add(multipart->form, &part.field, multipart->ordinal, multipart->refusal);
}

/* Cut a header off, with the lines that it is folded over (RFC 5322 section 2.2.3), without the CR
 * LF at its end. The empty line gives an empty header. False, and *header NULL: no line ends. */
static bool cut_header(air_span *rest, air_span *header) {
    size_t end = 0;
    for (size_t i = 0; i + 1 < rest->size; i++) {
        if (rest->data[i] != '\r' || rest->data[i + 1] != '\n') {
            continue;
        }
        end = i + 2;
        bool is_folded =
            i > 0 && end < rest->size && (rest->data[end] == ' ' || rest->data[end] == '\t');
        if (!is_folded) {
            *header = air_span_take(*rest, i);
            *rest = air_span_skip(*rest, end);
            return true;
        }
    }
    *header = air_span_of(NULL, 0);
    return false;
}

/* Whether a header has no control bytes but tabs and the line breaks of its folds. */
static bool is_clean(air_span header) {
    for (size_t i = 0; i < header.size; i++) {
        if (air_span_starts_with(air_span_skip(header, i), "\r\n")) {
            i++;
        } else if (air_form_is_control(header.data[i]) && header.data[i] != '\t') {
            return false;
        }
    }
    return true;
}

static enum air_error read_header(struct multipart *multipart, air_span header, struct part *part) {
    size_t name_size = air_span_find(header, ':');
    air_span name = air_span_take(header, name_size);
    air_span value = air_span_trim(air_span_skip(header, name_size + 1));
    if (name_size == header.size || name_size == 0 || !is_clean(header) ||
        air_span_trim(name).size != name_size) {
        return refuse_part(multipart, AIR_ERR_MALFORMED, "has a malformed header");
    }
    if (air_span_equal_nocase(name, air_span_text("Content-Disposition"))) {
        return read_disposition(multipart, value, part);
    }
    air_span group = air_span_text("multipart/");
    if (air_span_equal_nocase(name, air_span_text("Content-Type")) &&
        air_span_equal_nocase(air_span_take(value, group.size), group)) {
        return refuse_part(multipart, AIR_ERR_UNSUPPORTED,
            "is multipart itself, as several files in one field are: send one file");
    }
    if (air_span_equal_nocase(name, air_span_text("Content-Transfer-Encoding")) &&
        !air_span_equal_nocase(value, air_span_text("7bit")) &&
        !air_span_equal_nocase(value, air_span_text("8bit")) &&
        !air_span_equal_nocase(value, air_span_text("binary"))) {
        return refuse_part(multipart, AIR_ERR_UNSUPPORTED,
            "has a Content-Transfer-Encoding: send it as it is (RFC 7578 section 4.7)");
    }
    return AIR_OK;
}

static enum air_error read_disposition(
    struct multipart *multipart, air_span value, struct part *part) {
    air_span rest = value;
    air_span kind = air_media_type_cut(&rest);
    if (part->has_disposition || !air_span_equal_nocase(kind, air_span_text("form-data"))) {
        return refuse_part(multipart, AIR_ERR_MALFORMED,
            "needs one Content-Disposition, which begins with form-data");
    }
    part->has_disposition = true;
    struct air_parameter parameter;
    enum air_error error = AIR_OK;
    while ((error = air_parameter_next(&rest, &parameter)) == AIR_OK) {
        error = read_parameter(multipart, &parameter, part);
        if (error != AIR_OK) {
            return error;
        }
    }
    if (error != AIR_ERR_NOT_FOUND) {
        return refuse_part(multipart, error, "has a malformed Content-Disposition");
    }
    return AIR_OK;
}

static enum air_error read_parameter(
    struct multipart *multipart, const struct air_parameter *parameter, struct part *part) {
    if (air_span_equal_nocase(parameter->name, air_span_text("name"))) {
        if (part->has_name) {
            return refuse_part(multipart, AIR_ERR_MALFORMED, "has two names");
        }
        struct air_form *form = multipart->form;
        uint8_t *place = form->text + form->text_size;
        part->has_name = true;
        part->field.name = air_span_of(place, air_parameter_decode(parameter, place));
        form->text_size += part->field.name.size;
        return AIR_OK;
    }
    return read_filename(multipart, parameter, part);
}

/* filename and, though RFC 7578 section 4.2 forbids it, filename*, which wins (RFC 6266
 * section 4.3). Other parameters mean nothing here. */
static enum air_error read_filename(
    struct multipart *multipart, const struct air_parameter *parameter, struct part *part) {
    bool is_extended = air_span_equal_nocase(parameter->name, air_span_text("filename*"));
    if (!is_extended && !air_span_equal_nocase(parameter->name, air_span_text("filename"))) {
        return AIR_OK;
    }
    bool *has = is_extended ? &part->has_extended : &part->has_filename;
    if (*has) {
        return refuse_part(multipart, AIR_ERR_MALFORMED, "has two filenames");
    }
    *has = true;
    part->field.is_file = true;
    struct air_form *form = multipart->form;
    uint8_t *place = form->text + form->text_size;
    size_t size = 0;
    if (!is_extended) {
        size = air_parameter_decode(parameter, place);
    } else if (air_parameter_decode_extended(parameter, place, &size) != AIR_OK) {
        return refuse_part(multipart, AIR_ERR_MALFORMED, "has a malformed filename*");
    }
    form->text_size += size;
    if (is_extended || !part->has_extended) {
        part->field.filename = air_span_of(place, size);
    }
    return AIR_OK;
}

static enum air_error refuse_part(
    const struct multipart *multipart, enum air_error error, const char *what) {
    return air_refusal_set(multipart->refusal, error, "part %zu %s", multipart->ordinal, what);
}
