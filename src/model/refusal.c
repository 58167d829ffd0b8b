#include "model/refusal.h"

const char *refusal_reason_name(enum refusal_reason reason)
{
    static const char *const names[REFUSAL_REASON_COUNT] = {
        [REFUSAL_TOO_LARGE] = "too_large",
        [REFUSAL_INVALID_UNICODE] = "invalid_unicode",
        [REFUSAL_NOT_JSON] = "not_json",
        [REFUSAL_TOO_DEEP] = "too_deep",
        [REFUSAL_CONTAINS_NUL] = "contains_nul",
        [REFUSAL_NOT_OBJECT] = "not_object",
        [REFUSAL_MISSING_ID] = "missing_id",
        [REFUSAL_INVALID_ID] = "invalid_id",
        [REFUSAL_INVALID_STRUCTURE] = "invalid_structure",
        [REFUSAL_REJECTED_BY_DATABASE] = "rejected_by_database",
    };

    return names[reason];
}
