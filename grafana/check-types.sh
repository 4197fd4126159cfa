#!/usr/bin/env bash
# Checks the dashboards against Grafana's own types (@grafana/schema, of the version that docker-compose.yml pins), with tsc.
# Needs npm and its registry, so it is no part of `cargo test`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's|.*image: .*grafana/grafana:\([0-9.]*\).*|\1|p' "$here/../docker-compose.yml" 2>/dev/null || true)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' >package.json
npm install --silent --no-audit --no-fund "@grafana/schema@${version:-12.0.2}" typescript@5.8 >/dev/null

raw=./node_modules/@grafana/schema/dist/esm/raw
cat >plain.ts <<EOF
import type { Dashboard, Panel, VariableModel, AnnotationQuery, FieldConfigSource } from '$raw/dashboard/x/dashboard_types.gen';
import type * as heatmap from '$raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from '$raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeline from '$raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as table from '$raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as text from '$raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type * as timeseries from '$raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type * as xychart from '$raw/composable/xychart/panelcfg/x/XYChartPanelCfg_types.gen';

// What is an enumeration there is its text or number in JSON.
type Plain<T> = unknown extends T ? T : T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : { [K in keyof T]: Plain<T[K]> };
type Of<Type extends string, Options, Custom> = Omit<Plain<Panel>, 'type' | 'options' | 'fieldConfig'> & {
  type: Type;
  options: Plain<Options>;
  fieldConfig?: Omit<Plain<FieldConfigSource>, 'defaults'> & {
    defaults: Omit<Plain<FieldConfigSource['defaults']>, 'custom'> & { custom?: Plain<Custom> };
  };
};
type AnyPanel =
  | Of<'heatmap', heatmap.Options, heatmap.FieldConfig> | Of<'stat', stat.Options, never>
  | Of<'state-timeline', timeline.Options, timeline.FieldConfig> | Of<'table', table.Options, table.FieldConfig>
  | Of<'text', text.Options, never> | Of<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | Of<'xychart', xychart.Options, Partial<xychart.FieldConfig>> | Of<'traces', {}, never>
  | { type: 'row'; id: number; title: string; collapsed: boolean; gridPos: Plain<Panel>['gridPos']; panels: never[] };
// What Grafana has and its published types have not: the data source's part of an annotation.
type Annotation = Plain<AnnotationQuery> & {
  expr?: string; step?: string; titleFormat?: string; textFormat?: string; tagKeys?: string; useValueForTime?: boolean;
};
export type Board = Omit<Plain<Dashboard>, 'panels' | 'templating' | 'annotations'> & {
  panels: AnyPanel[];
  templating: { list: (Plain<VariableModel> & { definition?: string; refresh?: number })[] };
  annotations: { list: Annotation[] };
};
EOF
for board in "$here"/dashboards/*.json; do
    name=$(basename "$board" .json)
    { echo "import type { Board } from './plain';"; printf 'export const board: Board = '; cat "$board"; } >"$name.ts"
done
node_modules/.bin/tsc --noEmit --strict --skipLibCheck --target es2022 --module esnext --moduleResolution bundler ./*.ts
echo "the dashboards fit @grafana/schema ${version:-12.0.2}"
