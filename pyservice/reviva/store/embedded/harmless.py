"""The settings that read-only users may change: how things are computed and shown, never what is read or used up."""

import fnmatch

_HARMLESS = (
    "aggregate_functions_null_for_empty",
    "any_join_distinct_right_table_keys",
    "cancel_http_readonly_queries_on_client_close",
    "cast_ipv4_ipv6_default_on_conversion_error",
    "cast_keep_nullable",
    "count_distinct_implementation",
    "data_type_default_nullable",
    "date_time_input_format",
    "date_time_output_format",
    "date_time_overflow_behavior",
    "distributed_product_mode",
    "enable_http_compression",
    "enable_json_type",
    "enable_named_columns_in_function_tuple",
    "except_default_mode",
    "extremes",
    "final",
    "first_day_of_week",
    "format_csv_*",
    "format_custom_*",
    "format_display_*",
    "format_json_*",
    "format_tsv_*",
    "function_json_value_return_type_allow_*",
    "group_by_use_nulls",
    "http_headers_progress_interval_ms",
    "http_response_buffer_size",
    "http_wait_end_of_query",
    "http_write_exception_in_output_format",
    "http_zlib_compression_level",
    "intersect_default_mode",
    "join_algorithm",
    "join_any_take_last_row",
    "join_default_strictness",
    "join_use_nulls",
    "limit",
    "log_comment",
    "max_block_size",
    "offset",
    "optimize_*",
    "output_format_*",
    "prefer_column_name_to_alias",
    "query_plan_*",
    "read_in_order_*",
    "rows_before_aggregation",
    "send_progress_in_http_headers",
    "session_timezone",
    "short_circuit_*",
    "totals_*",
    "transform_null_in",
    "union_default_mode",
    "use_uncompressed_cache",
)
_BUT_NOT = ("output_format_schema",)  # a file


def is_harmless(setting: str) -> bool:
    """Whether read-only users may change this setting."""
    return any(fnmatch.fnmatchcase(setting, pattern) for pattern in _HARMLESS) and setting not in _BUT_NOT
